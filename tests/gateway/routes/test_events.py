"""A try-on as a stream of events: how it gets on, and that who hangs up ends the work."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.gateway.running import HANGS_S, Gateway
from tests.gateway.steps_stand_in import PREVIEW, STEPS, stepping_gateway
from tests.gateway.torchserve_stand_in import Fault, serve

pytestmark = pytest.mark.anyio

EVENTS = {"Accept": "text/event-stream"}


def read(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Every event by its name; comments are none."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event: ")]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in blocks
    ]


async def test_progress_previews_and_the_plain_answer_come_in_order(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, _):
        answer = await gateway.tryon(headers=EVENTS, fields={"preview_every": 2})
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = read(answer.text)
        plain = (await gateway.tryon()).json()
    names = [name for name, _ in events]
    queued, steps = ["progress"], ["progress", "progress", "preview"] * (STEPS // 2)
    assert names == [*queued, *steps, "result"]
    assert events[0][1] == {
        "stage": "queue",
        "step": 0,
        "of": STEPS,
        "queue_position": 2,
        "estimate_s": None,
    }
    preview = events[3][1]
    assert b64decode(preview["image"].removeprefix("data:image/jpeg;base64,")) == PREVIEW
    assert (preview["step"], preview["of"]) == (2, STEPS)
    assert events[-1][1]["metadata"] == plain["metadata"]
    assert events[-1][1].keys() == plain.keys()


async def test_a_repeat_has_nothing_to_tell_but_its_result(gateway: Gateway) -> None:
    await gateway.tryon()
    [(name, result)] = read((await gateway.tryon(headers=EVENTS)).text)
    assert (name, result["cached"]) == ("result", True)


async def test_what_fails_before_there_is_news_is_a_plain_error(gateway: Gateway) -> None:
    answer = await gateway.tryon(headers=EVENTS, fields={"steps": 30})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")


async def test_what_fails_later_is_the_last_event(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.REFUSES)
    answer = await gateway.tryon(headers=EVENTS)
    name, error = read(answer.text)[-1]
    assert (name, error["error_code"]) == ("error", "ML_4005")
    assert error["request_id"] == answer.headers["x-request-id"]
    assert error["details"]["field"] == "user_image"


async def test_a_long_silence_is_told_to_be_none(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path, http={"still_here_s": 0.01}) as (gateway, worker):
        worker.may_step.clear()
        async with over_a_socket(gateway) as client, asking(client, gateway) as answer:
            lines = answer.aiter_lines()
            while await anext(lines) != ": still here":
                pass
            worker.may_step.set()
            assert "event: result" in [line async for line in lines]


@pytest.mark.parametrize("accept", [EVENTS, {"Accept": "application/json"}])
async def test_who_hangs_up_ends_the_work(tmp_path: Path, accept: dict[str, str]) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        worker.may_step.clear()
        async with over_a_socket(gateway) as client:
            call = asyncio.create_task(whole(client, gateway, accept))
            await worker.was_asked.wait()
            call.cancel()
            await worker.was_left.wait()
        worker.may_step.set()
        assert (await gateway.tryon()).json()["cached"] is False


async def test_who_hangs_up_takes_nothing_from_who_waits_for_the_same(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        worker.may_step.clear()
        async with over_a_socket(gateway) as client, asking(client, gateway) as kept:
            lines = kept.aiter_lines()
            assert await anext(lines) == "event: progress"
            async with asking(client, gateway) as other:
                assert await anext(other.aiter_lines()) == "event: progress"
            worker.may_step.set()
            assert "event: result" in [line async for line in lines]
        assert len(worker.asked) == 1
        assert not worker.was_left.is_set()


async def test_there_is_room_again_after_a_stream(tmp_path: Path) -> None:
    room = {"max_in_flight": 1}
    async with stepping_gateway(tmp_path, tryon=room) as (gateway, worker):
        worker.may_step.clear()
        async with over_a_socket(gateway) as client, asking(client, gateway) as answer:
            assert await anext(answer.aiter_lines()) == "event: progress"
            assert (await gateway.tryon(fields={"seed": 1})).json()["error_code"] == "RATE_3002"
        await worker.was_left.wait()
        worker.may_step.set()
        assert (await gateway.tryon(headers=EVENTS)).status_code == 200
        assert (await gateway.tryon()).status_code == 200


@asynccontextmanager
async def over_a_socket(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """The same gateway on a real port, where connections can be cut."""
    app = create_app(gateway.resources.settings, gateway.resources)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=HANGS_S) as client:
        yield client


@asynccontextmanager
async def asking(client: httpx.AsyncClient, gateway: Gateway) -> AsyncIterator[httpx.Response]:
    """A stream of events; leaving it hangs up."""
    request = client.build_request(
        "POST", "/api/v1/process-tryon", files=files(gateway), headers=EVENTS
    )
    answer = await client.send(request, stream=True)
    try:
        yield answer
    finally:
        await answer.aclose()


async def whole(client: httpx.AsyncClient, gateway: Gateway, headers: dict[str, str]) -> None:
    await client.post("/api/v1/process-tryon", files=files(gateway), headers=headers)


def files(gateway: Gateway) -> dict[str, Any]:
    return {
        "user_image": ("me.jpg", gateway.person, "image/jpeg"),
        "garment_image": ("shirt.jpg", gateway.garment, "image/jpeg"),
    }
