"""Sessions at the remote engine: as many as it has room for, and none is paid for twice."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from gateway.domain.sessions_lifecycle import ENDED, State
from gateway.stand_ins.pixazo import KEY, Fault, PixazoStandIn
from tests.gateway import pictures
from tests.gateway.live import until
from tests.gateway.routes.test_pixazo import ASKED, CONFIG, Front, Place, remote
from tests.gateway.running import HANGS_S, running_gateway
from tests.gateway.torchserve_stand_in import serve
from tests.servers.process import free_port

pytestmark = pytest.mark.anyio

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
QUICK = {"poll_s": 0.05, "beat_s": 0.05, "retry_first_s": 0.001, "retry_longest_s": 0.01}


async def created(place: Place, seed: int = 7) -> str:
    """A session, accepted; its id."""
    files = {
        "user_image": ("p.jpg", pictures.jpeg((96, 120), seed=1), "image/jpeg"),
        "garment_image": ("g.jpg", pictures.jpeg((96, 120), seed=2), "image/jpeg"),
    }
    data = {name: str(value) for name, value in (ASKED | {"seed": seed}).items()}
    answer = await place.gateway.client.post(PATH, headers=MINE, files=files, data=data)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["session_id"]
    return made


async def passing(place: Place, holds: Callable[[], bool]) -> None:
    """Wait for something that comes with time, which passes."""
    async with asyncio.timeout(HANGS_S):
        while not holds():
            place.gateway.clock.time_s += 0.05
            await asyncio.sleep(0.01)


async def ended(place: Place, session_id: str) -> Any:  # noqa: ANN401
    """The only item of a session when it has ended; time passes, so that pauses do."""
    async with asyncio.timeout(HANGS_S):
        while True:
            answer = await place.gateway.client.get(f"{PATH}/{session_id}", headers=MINE)
            if answer.json()["state"] in ENDED:
                return answer.json()["items"][0]
            place.gateway.clock.time_s += 0.05
            await asyncio.sleep(0.02)


async def test_as_many_are_made_at_once_as_it_may_be_asked(tmp_path: Path) -> None:
    room = {"max_concurrent": 3}
    async with remote(tmp_path, Fault.SILENT, pixazo=room, sessions=QUICK) as place:
        for seed in range(4):
            await created(place, seed)
        await until(lambda: len(place.remote.asked) == 3)


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (Fault.NO_PICTURE, "EXT_5005", "no_picture"),
        (Fault.HUGE, "EXT_5005", "unreachable"),
        (Fault.FAILED, "ML_4002", None),
        (Fault.GARBAGE, "EXT_5005", "outcome_unknown"),
        (Fault.SILENT, "EXT_5005", "outcome_unknown"),
    ],
)
async def test_whatever_goes_wrong_after_it_was_asked_it_is_asked_once(
    tmp_path: Path, fault: Fault, code: str, reason: str | None
) -> None:
    told = {"timeout_s": 2.0 if fault is Fault.SILENT else HANGS_S, "poll_s": 0.05}
    quick = QUICK | {"max_tries": 3}
    async with remote(tmp_path, fault, pixazo=told, sessions=quick) as place:
        item = await ended(place, await created(place))
        error = item["error"]
        assert (error["error_code"], error["details"].get("reason")) == (code, reason)
        assert len(place.remote.asked) == 1


async def test_a_key_that_it_refuses_is_shown_again_but_not_for_ever(tmp_path: Path) -> None:
    quick = QUICK | {"max_tries": 3}
    async with remote(tmp_path, Fault.KEY_REFUSED, sessions=quick) as place:
        item = await ended(place, await created(place))
        assert item["error"]["details"]["reason"] == "key_refused"
        assert len(place.remote.asked) == 3


async def polled(place: Place) -> None:
    """Wait until it is asked how far it is, in whichever try; time passes, so that pauses do."""
    async with asyncio.timeout(HANGS_S):
        while not place.remote.polls:
            place.gateway.clock.time_s += 0.05
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("fault", [Fault.TOO_MANY, Fault.BROKEN])
async def test_what_it_did_not_take_waits_for_as_long_as_it_is_away(
    tmp_path: Path, fault: Fault
) -> None:
    told, quick = {"failures": 2, "reset_s": 0.1}, QUICK | {"max_tries": 2}
    async with remote(tmp_path, fault, pixazo=told, sessions=quick) as place:
        session_id = await created(place)
        await passing(place, lambda: len(place.remote.asked) > 5)
        place.remote.fault = Fault.NONE
        assert (await ended(place, session_id))["state"] == "completed"


async def test_an_engine_that_nobody_serves_is_waited_for(tmp_path: Path) -> None:
    stand_in, port = PixazoStandIn(), free_port()
    told = {"url": f"http://127.0.0.1:{port}", "failures": 2, "reset_s": 0.1}
    quick, outcome = QUICK | {"max_tries": 2}, {"engine": "pixazo", "outcome": "given_back"}
    async with remote(tmp_path, pixazo=told, sessions=quick) as place:
        session_id = await created(place)
        counted = place.gateway.resources.metrics.registry.get_sample_value
        name = "vton_session_items_total"
        await passing(place, lambda: (counted(name, outcome) or 0) > 5)
        async with serve(Starlette(routes=stand_in.routes()), port):
            assert (await ended(place, session_id))["state"] == "completed"
        assert len(stand_in.asked) == 1


async def given_back(place: Place, session_id: str) -> None:
    """Wait until its item waits for another try; its pause does not pass."""
    async with asyncio.timeout(HANGS_S):
        while True:
            answer = await place.gateway.client.get(f"{PATH}/{session_id}", headers=MINE)
            if answer.json()["items"][0]["state"] == State.CREATED:
                return
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_what_took_too_long_is_waited_for_again(tmp_path: Path) -> None:
    told = {"timeout_s": 2.0, "poll_s": 0.05}
    async with remote(tmp_path, Fault.NEVER_DONE, pixazo=told, sessions=QUICK) as place:
        session_id = await created(place)
        await polled(place)
        await given_back(place, session_id)
        place.remote.fault = Fault.NO_CALL
        item = await ended(place, session_id)
        assert (item["state"], item["engine"]) == ("completed", "pixazo")
        assert len(place.remote.asked) == 1


async def test_another_gateway_goes_on_where_one_ended_and_the_photos_are_still_there(
    tmp_path: Path,
) -> None:
    stand_in, front = PixazoStandIn(Fault.NEVER_DONE), Front()
    shutil.copy(CONFIG, tmp_path)
    async with serve(Starlette(routes=stand_in.routes())) as url, serve(front) as public_url:
        told = {"key": KEY, "url": url, "is_stand_in": True, "poll_s": 0.05}
        sections: dict[str, Any] = {"pixazo": told, "http": {"public_url": public_url}}
        sections |= {"storage": {"url": f"file://{tmp_path}/objects"}, "sessions": QUICK}
        async with running_gateway(tmp_path, **sections) as first:
            front.app = first.client._transport.app  # type: ignore[attr-defined]
            session_id = await created(Place(first, stand_in, first.client))
            await until(lambda: stand_in.polls > 0)
        stand_in.fault = Fault.NO_CALL
        async with running_gateway(tmp_path, **sections) as second:
            front.app = second.client._transport.app  # type: ignore[attr-defined]
            item = await ended(Place(second, stand_in, second.client), session_id)
    assert (item["state"], item["engine"], len(stand_in.asked)) == ("completed", "pixazo", 1)
