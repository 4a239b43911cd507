"""What a try-on may ask of an engine that draws by diffusion."""

import io
import json
from base64 import b64encode
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway import pictures
from tests.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.anyio


async def test_a_picture_of_the_body_s_surface_goes_along_as_it_is(gateway: Gateway) -> None:
    surface = pictures.drawn((192, 240), seed=3)
    file = ("surface.png", pictures.encoded(surface, "PNG"), "image/png")
    answer = await gateway.tryon(files={"densepose": file}, fields={"engine": "diffusion"})
    assert answer.status_code == 200
    sent = Image.open(io.BytesIO(gateway.torchserve.asked[-1]["densepose"]))
    assert (sent.mode, sent.size) == ("RGB", (192, 240))
    assert sent.tobytes() == surface.tobytes()


async def test_a_surface_of_other_proportions_is_refused_by_name(gateway: Gateway) -> None:
    file = ("surface.png", pictures.png((192, 192)), "image/png")
    answer = await gateway.tryon(files={"densepose": file}, fields={"engine": "diffusion"})
    assert answer.status_code == 422
    assert [f["field"] for f in answer.json()["details"]["fields"]] == ["densepose"]


async def test_mask_and_surface_come_as_json_too(gateway: Gateway) -> None:
    uploaded = (await gateway.upload(gateway.person)).json()
    reference = {"upload_id": uploaded["upload_id"]}
    answer = await gateway.tryon_json(
        {
            "user_image": reference,
            "garment_image": reference,
            "mask": reference,
            "densepose": {"base64": b64encode(pictures.png((96, 120))).decode()},
            "options": {"engine": "diffusion"},
        }
    )
    assert answer.status_code == 200
    assert {"mask", "densepose"} <= gateway.torchserve.asked[-1].keys()


async def test_a_diffusion_engine_hears_every_option(gateway: Gateway) -> None:
    asked = {
        "steps": 25,
        "guidance_scale": 2.5,
        "strength": 0.9,
        "num_samples": 2,
        "auto_crop": False,
        "keep_unmasked": True,
        "seed": 1,
        "pose_seed": 2,
        "garment_description": "a red shirt",
    }
    answer = await gateway.tryon(fields={**asked, "engine": "diffusion"})
    assert answer.status_code == 200
    sent = json.loads(gateway.torchserve.asked[-1]["params"])
    assert sent == {"category": "upper_body", "output_format": "jpeg", **asked}


async def test_every_sample_is_stored_and_linked(gateway: Gateway) -> None:
    fields = {"engine": "diffusion", "num_samples": 3}
    body = (await gateway.tryon(fields=fields)).json()
    assert body["result_url"] == body["result_urls"][0]
    assert len(set(body["result_urls"])) == 3
    for url in body["result_urls"]:
        assert (await gateway.client.get(url)).headers["content-type"] == "image/jpeg"
    first = await gateway.tryon(fields=fields, headers={"Accept": "image/*"})
    assert first.headers["content-type"] == "image/jpeg"


async def test_without_a_seed_a_repeat_is_the_same_picture(gateway: Gateway) -> None:
    bodies = [(await gateway.tryon(fields={"engine": "diffusion"})).json() for _ in range(2)]
    assert [body["cached"] for body in bodies] == [False, True]
    other = (await gateway.tryon(fields={"engine": "diffusion", "pose_seed": 1})).json()
    assert other["cached"] is False


async def test_a_value_outside_the_engine_s_range_is_named_with_it(gateway: Gateway) -> None:
    answer = await gateway.tryon(fields={"engine": "diffusion", "steps": 10, "strength": 0.01})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    found = {f["field"]: (f["minimum"], f["maximum"]) for f in answer.json()["details"]["fields"]}
    assert found == {"steps": (20, 50), "strength": (0.05, 1.0)}


async def test_an_engine_that_is_not_deployed_is_not_worth_a_retry(gateway: Gateway) -> None:
    gateway.torchserve.not_deployed = {"diffusion"}
    await gateway.resources.health.check()
    answer = await gateway.tryon(fields={"engine": "diffusion"})
    assert (answer.status_code, answer.json()["error_code"]) == (503, "ML_4001")
    assert answer.json()["message"] == "This engine is not deployed here."
    assert "retry-after" not in answer.headers


async def test_an_engine_may_take_as_long_as_its_configuration_says(tmp_path: Path) -> None:
    hasty = {"deadline_s": 0.2, "first_frame_s": 0.2, "stall_s": 0.2}
    async with running_gateway(tmp_path, torchserve=hasty) as gateway:
        gateway.torchserve.delay_s = 0.5
        patient = await gateway.tryon(fields={"engine": "diffusion"})
        assert patient.status_code == 200
        usual = await gateway.tryon()
        assert (usual.status_code, usual.json()["error_code"]) == (504, "EXT_5004")
