"""An item that waits costs ever less, and what an engine did in vain is counted."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from gateway.adapters.clock import SystemClock
from gateway.adapters.sql.tables import session_items
from gateway.domain.jobs import Job, Prediction
from gateway.domain.sessions import Session
from gateway.domain.sessions_lifecycle import State
from gateway.errors.codes import ErrorCode
from gateway.errors.kinds import Busy
from gateway.ports.models import OnProgress
from gateway.settings.sessions import SessionSettings
from tests.gateway.running import ManualClock
from tests.gateway.sessions.workshop import QUICK, Drawer, Place, Sessions, opened

pytestmark = pytest.mark.anyio

PATIENT: SessionSettings = QUICK.model_copy(update={"retry_first_s": 0.5, "retry_longest_s": 15.0})


class Full(Drawer):
    """Models that have no room."""

    async def predict(self, *_: object) -> Prediction:
        raise Busy


class Counting(Drawer):
    """Models that draw, and count what they drew."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = 0

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        self.drawn += 1
        return await super().predict(job, on_progress)


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    return Place(database_url, f"file://{tmp_path}/objects")


async def waiting(sessions: Sessions, session_id: str, attempt: int) -> Session:
    """The session when its item waits behind so many attempts."""
    async with asyncio.timeout(60):
        while True:
            found = await sessions.book.find(session_id, "drawer")
            assert found is not None
            item = found.items[0]
            if (item.state, item.attempt) == (State.CREATED, attempt):
                return found
            await asyncio.sleep(0.01)


def due_at(connection: Connection) -> float:
    at: float = connection.execute(select(session_items.c.not_before)).scalar_one()
    return at


async def test_pauses_double_to_the_longest_and_nothing_is_told_of_them(place: Place) -> None:
    clock = ManualClock()
    async with opened(place, clock, ["drawer"], PATIENT, Full()) as sessions:
        session_id = await sessions.accept("drawer", clock.now())
        pauses, told = [], []
        async with sessions.running():
            for attempt in range(1, 9):
                told.append((await waiting(sessions, session_id, attempt)).last_event)
                at = await sessions.queue._database.read(due_at)
                pauses.append(at - clock.now())
                clock.time_s += pauses[-1]
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 15, 15, 15])
    assert {*told} == {told[0]}


async def test_a_result_that_cannot_be_kept_counts_as_a_try(place: Place, tmp_path: Path) -> None:
    clock, worker = SystemClock(), Counting()
    async with opened(place, clock, ["drawer"], QUICK, worker) as sessions:
        session_id = await sessions.accept("drawer", clock.now())
        (tmp_path / "objects" / "results").write_text("no room for a folder here")
        async with sessions.running():
            await sessions.service.wait(session_id, "drawer", 60)
        found = await sessions.book.find(session_id, "drawer")
    assert found is not None
    assert found.state is State.FAILED
    assert found.items[0].fault is not None
    assert found.items[0].fault.code is ErrorCode.STORAGE
    assert worker.drawn == QUICK.max_tries
