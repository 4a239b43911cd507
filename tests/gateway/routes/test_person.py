import asyncio
import io
import json
from base64 import b64encode
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway import pictures
from tests.gateway.running import Gateway, running_gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio


async def test_a_photo_becomes_pictures_and_joints(gateway: Gateway) -> None:
    answer = await gateway.analyse(fields={"category": "dresses"})
    body = answer.json()
    assert (answer.status_code, body["cached"]) == (200, False)
    assert (body["engine"], body["model_version"]) == ("person", "1.0")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert (body["width_px"], body["height_px"]) == (96, 120)
    assert body["keypoints"] == [
        {"name": "nose", "x_px": 10.5, "y_px": 20.25, "confidence": 0.9},
        {"name": "right_shoulder", "x_px": 3.0, "y_px": 4.0, "confidence": 1.0},
    ]
    assert body["labels"] == {"background": 0, "upper_clothes": 4}
    assert body["warnings"][0]["code"] == "approximate"
    assert body["models"][0]["licence"] == "Apache-2.0"
    for url, mode in (("mask_url", "L"), ("parse_map_url", "L"), ("densepose_url", "RGB")):
        picture = await gateway.client.get(body[url])
        assert picture.headers["content-type"] == "image/png"
        shown = Image.open(io.BytesIO(picture.content))
        assert (shown.mode, shown.size) == (mode, (96, 120))


async def test_the_worker_gets_a_clean_png_and_only_what_was_asked(gateway: Gateway) -> None:
    answer = await gateway.analyse(pictures.turned(6), {"category": "full_body", "auto_crop": True})
    asked = gateway.torchserve.asked[-1]
    assert json.loads(asked["params"]) == {"category": "dresses", "auto_crop": True}
    photo = Image.open(io.BytesIO(asked["person_image"]))
    assert (photo.format, photo.mode, photo.size) == ("PNG", "RGB", (400, 320))
    assert asked["request_id"] == answer.json()["request_id"]
    assert asked.keys() == {"params", "person_image", "request_id", "version"}


async def test_json_with_base64_or_an_upload(gateway: Gateway) -> None:
    file = ("a.png", pictures.png((96, 120)), "image/png")
    by_form = (await gateway.analyse(file)).json()
    photo = b64encode(file[1]).decode()
    by_base64 = (await gateway.analyse_json({"user_image": {"base64": photo}})).json()
    uploaded = (await gateway.upload(file)).json()
    by_upload = await gateway.analyse_json({"user_image": {"upload_id": uploaded["upload_id"]}})
    assert (by_form["cached"], by_base64["cached"]) == (False, True)
    assert by_upload.json()["cached"] is True


async def test_another_category_is_another_mask(gateway: Gateway) -> None:
    await gateway.analyse()
    assert (await gateway.analyse(fields={"category": "dresses"})).json()["cached"] is False
    assert (await gateway.analyse()).json()["cached"] is True


async def test_the_mask_may_be_sent_back_with_a_try_on(gateway: Gateway) -> None:
    body = (await gateway.analyse()).json()
    files = {}
    for name in ("mask", "densepose"):
        picture = await gateway.client.get(body[f"{name}_url"])
        files[name] = (f"{name}.png", picture.content, "image/png")
    answer = await gateway.tryon(files=files, fields={"engine": "diffusion"})
    assert answer.status_code == 200
    assert {"mask", "densepose"} <= gateway.torchserve.asked[-1].keys()


async def test_the_same_photo_twice_at_once_asks_the_engine_once(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.SILENT)
    both = [asyncio.ensure_future(gateway.analyse()) for _ in range(2)]
    await gateway.torchserve.was_asked.wait()
    gateway.torchserve.stalled.set()
    bodies = [(await answer).json() for answer in both]
    assert sorted(body["cached"] for body in bodies) == [False, True]
    assert len(gateway.torchserve.asked) == 1


async def test_the_engine_s_refusal_names_the_caller_s_field(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.REFUSES)
    answer = await gateway.analyse()
    assert (answer.status_code, answer.json()["error_code"]) == (422, "ML_4005")
    assert answer.json()["details"]["field"] == "user_image"


@pytest.mark.parametrize("names", [["mask"], ["mask", "mask", "densepose"], []])
async def test_an_answer_with_other_pictures_than_promised_is_a_failure(
    gateway: Gateway, names: list[str]
) -> None:
    gateway.torchserve.analysis_names = names
    answer = await gateway.analyse()
    assert (answer.status_code, answer.json()["error_code"]) == (502, "ML_4002")


async def test_where_nothing_analyses_the_caller_is_told(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, without=("person.yaml",)) as gateway:
        answer = await gateway.analyse()
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (503, "ML_4001")
    assert body["message"] == "No engine of this deployment analyses photos."
    assert "retry-after" not in answer.headers


async def test_where_the_worker_is_not_deployed_the_caller_is_told(gateway: Gateway) -> None:
    gateway.torchserve.not_deployed = {"person"}
    await gateway.resources.health.check()
    answer = await gateway.analyse()
    assert (answer.status_code, answer.json()["error_code"]) == (503, "ML_4001")


async def test_when_there_is_no_room_the_caller_is_told_to_wait(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon={"max_in_flight": 1}) as gateway:
        with gateway.resources.admission.one():
            answer = await gateway.analyse()
    assert (answer.status_code, answer.json()["error_code"]) == (503, "RATE_3002")


async def test_a_missing_photo_is_named(gateway: Gateway) -> None:
    answer = await gateway.client.post("/api/v1/person/analyse", files={"x": b"1"})
    assert [f["field"] for f in answer.json()["details"]["fields"]] == ["x"]
    answer = await gateway.client.post(
        "/api/v1/person/analyse", data={"category": "dresses"}, files={"user_image": b""}
    )
    assert answer.status_code in {400, 415, 422}


async def test_another_media_type_is_refused(gateway: Gateway) -> None:
    answer = await gateway.client.post("/api/v1/person/analyse", content=b"x")
    assert (answer.status_code, answer.json()["error_code"]) == (415, "VAL_2003")
