import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.gateway.running import Gateway, running_gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio


def refused(answer_json: dict[str, Any]) -> set[str]:
    return {fault["field"] for fault in answer_json["details"]["fields"]}


async def test_numbers_and_choices_become_people(gateway: Gateway) -> None:
    answer = await gateway.draw(count=3, seed=7, skin_tone="dark", output_format="png")
    body = answer.json()
    assert (answer.status_code, body["cached"], body["ai_generated"]) == (200, False, True)
    assert (body["engine"], body["model_version"], body["blocked"]) == ("sdxl", "1.0", 0)
    assert body["licence"] == "LicenseRef-CreativeML-OpenRAIL-PlusPlus-M"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert [one["seed"] for one in body["images"]] == [7, 8, 9]
    for one in body["images"]:
        picture = await gateway.client.get(one["url"])
        assert picture.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(picture.content)).size == (832, 1216)
    assert len({one["url"] for one in body["images"]}) == 3


async def test_the_worker_gets_options_alone(gateway: Gateway) -> None:
    answer = await gateway.draw(gender="woman")
    (asked,) = gateway.torchserve.asked
    assert asked.keys() == {"params", "request_id", "version"}
    assert asked["request_id"] == answer.json()["request_id"]
    assert json.loads(asked["params"]) == {
        "count": 1,
        "height_cm": 172,
        "weight_kg": 68.5,
        "gender": "woman",
        "steps": 25,
        "output_format": "jpeg",
    }


async def test_the_same_people_are_drawn_once(gateway: Gateway) -> None:
    await gateway.draw(seed=7)
    assert (await gateway.draw(seed=7)).json()["cached"] is True
    assert (await gateway.draw(seed=8)).json()["cached"] is False
    assert len(gateway.torchserve.asked) == 2


async def test_the_same_request_twice_at_once_asks_the_engine_once(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.SILENT)
    both = [asyncio.ensure_future(gateway.draw(seed=7)) for _ in range(2)]
    await gateway.torchserve.was_asked.wait()
    gateway.torchserve.stalled.set()
    assert sorted([(await answer).json()["cached"] for answer in both]) == [False, True]


@pytest.mark.prop(27)
@pytest.mark.prop(29)
@pytest.mark.prop(30)
@pytest.mark.prop(31)
async def test_every_wrong_field_is_named_at_once(gateway: Gateway) -> None:
    wrong = {
        "count": 11,
        "height_cm": 139,
        "weight_kg": 201,
        "ethnicity": "Martian",
        "skin_tone": "light, and nothing on",
        "hair": "red",
    }
    answer = await gateway.draw(**wrong)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert refused(answer.json()) == wrong.keys()
    assert "nothing on" not in answer.text
    assert gateway.torchserve.asked == []


async def test_an_option_that_the_engine_lacks_is_named(gateway: Gateway) -> None:
    answer = await gateway.draw(pose="front", width_px=512)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert refused(answer.json()) == {"pose", "width_px"}


async def test_height_and_weight_must_be_told(gateway: Gateway) -> None:
    answer = await gateway.client.post("/api/v1/bodies", json={})
    assert refused(answer.json()) == {"height_cm", "weight_kg"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"null"])
async def test_what_is_no_json_object_is_refused(gateway: Gateway, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await gateway.client.post("/api/v1/bodies", content=body, headers=headers)
    assert answer.status_code in {400, 422}


async def test_a_form_is_refused(gateway: Gateway) -> None:
    answer = await gateway.client.post("/api/v1/bodies", data={"height_cm": "172"})
    assert (answer.status_code, answer.json()["error_code"]) == (415, "VAL_2003")
    assert answer.json()["details"]["allowed"] == ["application/json"]


async def test_what_the_safety_checker_keeps_back_is_counted(gateway: Gateway) -> None:
    gateway.torchserve.blocked = 1
    body = (await gateway.draw(count=3, seed=7)).json()
    assert (body["blocked"], [one["seed"] for one in body["images"]]) == (1, [8, 9])


async def test_where_it_keeps_everything_back_the_caller_is_told(gateway: Gateway) -> None:
    gateway.torchserve.blocked = 2
    answer = await gateway.draw(count=2)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "ML_4005")
    assert answer.json()["details"] == {"reason": "blocked", "blocked": 2}


@pytest.mark.parametrize("told", [{"seeds": [1]}, {"ai_generated": False}, {"seeds": None}])
async def test_an_answer_with_other_pictures_than_promised_is_a_failure(
    gateway: Gateway, told: dict[str, Any]
) -> None:
    gateway.torchserve.drawing = told
    answer = await gateway.draw(count=2)
    assert (answer.status_code, answer.json()["error_code"]) == (502, "ML_4002")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [(Fault.CRASHES, 502, "ML_4002"), (Fault.REFUSES, 422, "ML_4005")],
)
async def test_the_engine_s_error_keeps_its_code(
    gateway: Gateway, fault: Fault, status: int, code: str
) -> None:
    gateway.torchserve.faults.append(fault)
    answer = await gateway.draw()
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


async def test_where_nothing_draws_the_caller_is_told(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, without=("sdxl.yaml",)) as gateway:
        answer = await gateway.draw()
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (503, "ML_4001")
    assert body["message"] == "No engine of this deployment draws people."
    assert "retry-after" not in answer.headers


async def test_where_the_worker_is_not_deployed_the_caller_is_told(gateway: Gateway) -> None:
    gateway.torchserve.not_deployed = {"sdxl"}
    await gateway.resources.health.check()
    answer = await gateway.draw()
    assert (answer.status_code, answer.json()["error_code"]) == (503, "ML_4001")


async def test_when_there_is_no_room_the_caller_is_told_to_wait(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon={"max_in_flight": 1}) as gateway:
        with gateway.resources.admission.one():
            answer = await gateway.draw()
    assert (answer.status_code, answer.json()["error_code"]) == (503, "RATE_3002")


async def test_the_document_shows_what_this_deployment_s_engine_offers(gateway: Gateway) -> None:
    document = (await gateway.client.get("/openapi.json")).json()
    fields = document["components"]["schemas"]["BodiesBody"]["properties"]
    assert fields["skin_tone"]["anyOf"][0]["enum"] == ["light", "dark"]
    assert (fields["height_cm"]["minimum"], fields["height_cm"]["maximum"]) == (140, 220)
    assert fields["steps"]["default"] == 25


@pytest.mark.prop(27)
async def test_a_whole_number_is_whole_however_it_is_written(gateway: Gateway) -> None:
    assert (await gateway.draw(count=2.0, seed=7.0)).status_code == 200
    for wrong in (2.5, True, "2"):
        refused = await gateway.draw(count=wrong)
        assert (refused.status_code, refused.json()["error_code"]) == (422, "VAL_2001")
