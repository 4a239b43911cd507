import asyncio
import io
import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from tests.gateway import pictures
from tests.gateway.running import Gateway, running_gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio


async def test_two_photos_become_a_link_to_a_picture(gateway: Gateway) -> None:
    answer = await gateway.tryon(fields={"category": "dresses", "output_format": "webp", "seed": 7})
    assert answer.status_code == 200
    body = answer.json()
    assert body["engine"] == "geometric"
    assert body["model_version"] == "1.0"
    assert body["cached"] is False
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["metadata"]["licence"] == "Apache-2.0"
    assert body["metadata"]["category"] == "dresses"
    picture = await gateway.client.get(body["result_url"])
    assert picture.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(picture.content)).size == (768, 1024)


async def test_the_worker_gets_clean_pngs_and_only_what_was_asked(gateway: Gateway) -> None:
    answer = await gateway.tryon(
        pictures.turned(6), fields={"category": "full_body", "width_px": 600}
    )
    asked = gateway.torchserve.asked[-1]
    assert json.loads(asked["params"]) == {
        "category": "dresses",
        "output_format": "jpeg",
        "width_px": 600,
    }
    person = Image.open(io.BytesIO(asked["person_image"]))
    assert (person.format, person.mode, person.size) == ("PNG", "RGB", (400, 320))
    assert asked["request_id"] == answer.json()["request_id"]


async def test_the_same_request_twice_at_once_asks_the_engine_once(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.SILENT)
    both = [asyncio.ensure_future(gateway.tryon()) for _ in range(2)]
    await gateway.torchserve.was_asked.wait()
    gateway.torchserve.stalled.set()
    bodies = [(await answer).json() for answer in both]
    assert sorted(body["cached"] for body in bodies) == [False, True]
    assert len(gateway.torchserve.asked) == 1


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("image/*", "image/jpeg"),
        ("image/webp,image/*;q=0.8,*/*;q=0.5", "image/jpeg"),
        ("*/*", "application/json"),
        ("application/json, image/*;q=0.5", "application/json"),
        ("image/*;q=0", "application/json"),
    ],
)
async def test_accept_chooses_between_link_and_picture(
    gateway: Gateway, accept: str, expected: str
) -> None:
    answer = await gateway.tryon(headers={"Accept": accept})
    assert answer.headers["content-type"] == expected
    if expected == "image/jpeg":
        assert answer.headers["x-engine"] == "geometric"
        assert answer.headers["x-licence"] == "Apache-2.0"
        assert answer.headers["x-kept-share"] == "0.8"


@pytest.mark.prop(5)
async def test_json_that_declares_an_empty_type_declares_none_of_ours(gateway: Gateway) -> None:
    photo = b64encode(pictures.png()).decode()
    for source in (
        {"base64": photo, "media_type": ""},
        {"base64": f"data:;base64,{photo}"},
    ):
        answer = await gateway.tryon_json({"user_image": source, "garment_image": source})
        assert (answer.status_code, answer.json()["error_code"]) == (415, "VAL_2003")


async def test_json_with_base64_and_a_data_url(gateway: Gateway) -> None:
    photo = b64encode(pictures.png()).decode()
    answer = await gateway.tryon_json(
        {
            "user_image": {"base64": photo},
            "garment_image": {"base64": f"data:image/png;base64,{photo}"},
            "options": {"category": "lower_body"},
        }
    )
    assert answer.status_code == 200
    assert json.loads(gateway.torchserve.asked[-1]["params"])["category"] == "lower_body"


async def test_json_with_an_upload(gateway: Gateway) -> None:
    uploaded = (await gateway.upload(gateway.person)).json()
    reference = {"upload_id": uploaded["upload_id"]}
    answer = await gateway.tryon_json({"user_image": reference, "garment_image": reference})
    assert answer.status_code == 200
    by_form = await gateway.tryon(gateway.person, gateway.person)
    assert by_form.json()["cached"] is True


async def test_options_as_one_part(gateway: Gateway) -> None:
    answer = await gateway.tryon(
        fields={"options": '{"category": "dresses", "seed": 3}', "output_format": "png"}
    )
    assert answer.status_code == 200
    assert json.loads(gateway.torchserve.asked[-1]["params"]) == {
        "category": "dresses",
        "output_format": "png",
        "seed": 3,
    }


async def test_a_mask_goes_along_in_the_photo_s_size(gateway: Gateway) -> None:
    mask = ("mask.png", pictures.encoded(Image.new("L", (192, 240), 255), "PNG"), "image/png")
    assert (await gateway.tryon(files={"mask": mask})).status_code == 200
    sent = Image.open(io.BytesIO(gateway.torchserve.asked[-1]["mask"]))
    assert (sent.mode, sent.size) == ("L", (96, 120))


async def test_an_unused_hint_is_a_warning(gateway: Gateway) -> None:
    body = (await gateway.tryon(fields={"garment_description": "a red shirt"})).json()
    assert [w["code"] for w in body["metadata"]["warnings"]] == ["garment_description_unused"]


async def test_an_option_the_engine_lacks_is_named(gateway: Gateway) -> None:
    answer = await gateway.tryon(fields={"steps": 30, "guidance_scale": 2.5})
    assert answer.status_code == 422
    fields = answer.json()["details"]["fields"]
    assert [field["field"] for field in fields] == ["guidance_scale", "steps"]
    assert "seed" in fields[0]["supported"]


@pytest.mark.parametrize(
    "fields",
    [{"steps": "many"}, {"category": ""}, {"width_px": 511}, {"seed": -1}, {"engine": "no/pe"}],
)
async def test_a_wrong_value_names_its_field(gateway: Gateway, fields: dict[str, object]) -> None:
    answer = await gateway.tryon(fields=fields)
    assert answer.status_code == 422
    assert answer.json()["error_code"] == "VAL_2001"
    assert [f["field"] for f in answer.json()["details"]["fields"]] == list(fields)


async def test_missing_files_are_named(gateway: Gateway) -> None:
    answer = await gateway.client.post("/api/v1/process-tryon", files={"x": b"1"})
    assert answer.status_code == 422
    answer = await gateway.client.post(
        "/api/v1/process-tryon", files={"user_image": ("a.jpg", gateway.person, "image/jpeg")}
    )
    assert [f["field"] for f in answer.json()["details"]["fields"]] == ["garment_image"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "VAL_2008"),
        ('{"user_image": NaN}', 400, "VAL_2008"),
        ({}, 422, "VAL_2001"),
        ({"user_image": {}, "garment_image": {"upload_id": "x"}}, 422, "VAL_2001"),
        (
            {"user_image": {"upload_id": "../x"}, "garment_image": {"upload_id": "../x"}},
            404,
            "VAL_2006",
        ),
        ({"user_image": {"base64": "%%%"}, "garment_image": {"base64": "x"}}, 422, "VAL_2001"),
    ],
)
async def test_json_is_read_strictly(
    gateway: Gateway, body: object, status: int, code: str
) -> None:
    answer = await gateway.tryon_json(body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type_is_refused(gateway: Gateway, content_type: str) -> None:
    answer = await gateway.client.post(
        "/api/v1/process-tryon", content=b"x", headers={"Content-Type": content_type}
    )
    assert (answer.status_code, answer.json()["error_code"]) == (415, "VAL_2003")


async def test_a_compressed_request_body_is_refused(gateway: Gateway) -> None:
    answer = await gateway.tryon(headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VAL_2008")


async def test_the_engine_s_refusal_reaches_the_caller(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.REFUSES)
    answer = await gateway.tryon()
    assert answer.status_code == 422
    assert answer.json()["error_code"] == "ML_4005"
    assert answer.json()["details"] == {
        "image": "person_image",
        "reason": "no_person",
        "field": "user_image",
    }


async def test_a_worker_that_dies_does_not_cost_the_answer(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.CUT)
    assert (await gateway.tryon()).status_code == 200
    assert len(gateway.torchserve.asked) == 2


async def test_a_failure_is_not_remembered(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.CRASHES)
    assert (await gateway.tryon()).json()["error_code"] == "ML_4002"
    assert (await gateway.tryon()).json()["cached"] is False


async def test_another_version_is_another_result(gateway: Gateway) -> None:
    await gateway.tryon()
    gateway.torchserve.version = "1.1"
    await gateway.resources.health.check()
    body = (await gateway.tryon()).json()
    assert (body["cached"], body["model_version"]) == (False, "1.1")


async def test_when_there_is_no_room_the_caller_is_told_to_wait(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon={"max_in_flight": 1}) as gateway:
        with gateway.resources.admission.one():
            answer = await gateway.tryon()
        assert (answer.status_code, answer.json()["error_code"]) == (503, "RATE_3002")
        assert answer.headers["retry-after"] == "1"
        assert (await gateway.tryon()).status_code == 200


async def test_links_carry_the_public_address(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, http={"public_url": "https://try.example/"}) as gateway:
        url = urlsplit((await gateway.tryon()).json()["result_url"])
        assert (url.scheme, url.netloc) == ("https", "try.example")
        picture: httpx.Response = await gateway.client.get(f"{url.path}?{url.query}")
        assert picture.status_code == 200
