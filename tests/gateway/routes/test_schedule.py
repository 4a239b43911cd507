"""What a caller may say of time: deadlines, fewer steps, presets; none of it is another request."""

import json
from base64 import b64encode
from pathlib import Path

import pytest

from tests.gateway.running import Gateway
from tests.gateway.steps_stand_in import stepping_gateway

pytestmark = pytest.mark.anyio


async def test_what_is_said_of_time_goes_to_the_scheduler_and_not_to_the_engine(
    tmp_path: Path,
) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        fields = {"deadline_s": 20, "least_steps": 6, "preview_every": 2, "steps": 12}
        assert (await gateway.tryon(fields=fields)).status_code == 200
        told = json.loads(worker.asked[-1]["schedule"])
        user = told.pop("user")
        assert 0 < told.pop("within_s") <= 20  # what is left of it
        assert told == {"least_steps": 6, "preview_every": 2}
        assert user
        assert "127.0.0.1" not in user
        assert set(json.loads(worker.asked[-1]["params"])) == {"category", "output_format", "steps"}


async def test_a_batch_is_known_as_one_where_steps_are_given_out(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        headers = {"X-User-Token": "m" * 32, "Prefer": "wait=20"}
        picture = {"base64": b64encode(gateway.person).decode()}
        for categories, kind in (["dresses"], None), (["upper_body", "lower_body"], "batch"):
            garments = [{"garment_image": picture, "category": one} for one in categories]
            body = {"people": [{"user_image": picture}], "garments": garments}
            answer = await gateway.client.post("/api/v1/tryon/batches", headers=headers, json=body)
            assert answer.json().get("state") == "completed", answer.text
            told = [json.loads(asked["schedule"]).get("kind") for asked in worker.asked]
            assert told[-len(garments) :] == [kind] * len(garments)


async def test_one_caller_has_one_name_and_another_process_gives_another(tmp_path: Path) -> None:
    names = set()
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        async with stepping_gateway(tmp_path / run) as (gateway, worker):
            for seed in range(2):
                await gateway.tryon(fields={"seed": seed})
            told = {json.loads(asked["schedule"])["user"] for asked in worker.asked}
            assert len(told) == 1
            names |= told
    assert len(names) == 2


async def test_an_engine_that_serves_one_by_one_cannot_honour_a_schedule(gateway: Gateway) -> None:
    answer = await gateway.tryon(fields={"deadline_s": 20, "preview_every": 2})
    assert answer.status_code == 422
    fields = [fault["field"] for fault in answer.json()["details"]["fields"]]
    assert fields == ["deadline_s", "preview_every"]
    assert (await gateway.tryon()).status_code == 200
    assert "schedule" not in gateway.torchserve.asked[-1]


async def test_the_same_request_is_the_same_however_urgent(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        await gateway.tryon(fields={"deadline_s": 20})
        assert (await gateway.tryon()).json()["cached"] is True
        assert (await gateway.tryon(fields={"least_steps": 5})).json()["cached"] is True
        assert len(worker.asked) == 1


async def test_what_cannot_be_done_in_time_is_refused_with_an_estimate(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        worker.is_late = True
        answer = await gateway.tryon(fields={"deadline_s": 2})
        assert (answer.status_code, answer.json()["error_code"]) == (503, "ML_4007")
        assert answer.headers["retry-after"] == "13"
        assert answer.json()["details"] == {"within_s": 2, "estimate_s": 12.2}
        assert len(worker.asked) == 1
        assert (await gateway.tryon()).status_code == 200


async def test_a_result_of_fewer_steps_says_so_and_is_not_remembered(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        worker.lowered = 9
        body = (await gateway.tryon(fields={"deadline_s": 2, "least_steps": 8})).json()
        assert [warning["code"] for warning in body["metadata"]["warnings"]] == ["steps_lowered"]
        assert (body["metadata"]["steps"], body["metadata"]["steps_asked"]) == (9, 30)
        assert (await gateway.client.get(body["result_url"])).status_code == 200
        worker.lowered = None
        again = (await gateway.tryon(fields={"deadline_s": 2, "least_steps": 8})).json()
        assert (again["cached"], again["metadata"]["warnings"]) == (False, [])
        assert (await gateway.tryon()).json()["cached"] is True


async def test_a_preset_is_one_of_the_engine_s_own(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        assert (await gateway.tryon(fields={"preset": "fast"})).status_code == 200
        assert json.loads(worker.asked[-1]["params"])["preset"] == "fast"
        wrong = (await gateway.tryon(fields={"preset": "lavish"})).json()["details"]["fields"]
        assert [(one["field"], one["supported"]) for one in wrong] == [
            ("preset", ["fast", "quality"])
        ]
        none = await gateway.tryon(fields={"preset": "fast", "engine": "geometric"})
        assert none.status_code == 422


async def test_the_models_say_what_may_be_asked_of_time(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, _):
        engines = (await gateway.client.get("/api/v1/models")).json()["engines"]
        told = {engine["engine"]: engine for engine in engines}
        assert told["stepping"]["presets"] == {"fast": {"steps": 8}, "quality": {"steps": 30}}
        assert told["stepping"]["choices"]["preset"] == ["fast", "quality"]
        assert {"deadline_s", "least_steps", "preview_every"} <= {*told["stepping"]["options"]}
        assert told["geometric"]["presets"] == {}
        assert "deadline_s" not in told["geometric"]["options"]
