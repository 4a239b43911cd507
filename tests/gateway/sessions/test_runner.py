"""Runners that share a queue, lose their leases, or find the database gone."""

import asyncio
import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import JsonValue

from gateway.adapters.clock import SystemClock
from gateway.domain import sessions_topics as topics
from gateway.domain.jobs import Job, Prediction
from gateway.domain.sessions_lifecycle import State
from gateway.errors.codes import ErrorCode
from gateway.errors.kinds import Unfit
from gateway.ports.models import OnProgress
from gateway.settings.sessions import SessionSettings
from tests.gateway.running import ManualClock
from tests.gateway.sessions.workshop import DAY_S, LEASE_S, QUICK, Drawer, Place, opened
from tests.servers.postgres_server import PostgresServer, create_database

pytestmark = pytest.mark.anyio

DEAF = QUICK.model_copy(update={"beat_s": 60.0})


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    return Place(database_url, f"file://{tmp_path}/objects")


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_two_runners_share_what_is_queued(place: Place) -> None:
    clock, names = SystemClock(), [f"engine-{number}" for number in range(3)]
    told: SessionSettings = QUICK.model_copy(update={"per_engine": 2})
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(opened(place, clock, names, told)) for _ in range(2)
        ]
        made = [(await one.accept(name, clock.now(), items=4), name) for name in names]
        await stack.enter_async_context(one.running())
        await stack.enter_async_context(two.running())
        for session_id, name in made:
            await two.service.wait(session_id, name, 60)
        for session_id, name in made:
            found = await one.ended_once(session_id, name)
            assert [item.attempt for item in found.items] == [1, 1, 1, 1]


async def test_one_that_lost_its_lease_leaves_nothing_behind(place: Place) -> None:
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        slow, quick = [
            await stack.enter_async_context(opened(place, clock, ["drawer"], DEAF))
            for _ in range(2)
        ]
        session_id = await slow.accept("drawer", clock.now())
        slow.models.gate.clear()
        await stack.enter_async_context(slow.running())
        await slow.models.asked.wait()
        clock.time_s += LEASE_S
        async with quick.running():
            await quick.service.wait(session_id, "drawer", 60)
        slow.models.gate.set()
        await until(lambda: not slow.runner.running)
        found = await quick.ended_once(session_id, "drawer")
        assert found.items[0].attempt == 2
        assert len([key async for key in quick.store.keys("results")]) == 1
        await quick.service.delete(session_id, "drawer")
        assert [key async for key in quick.store.keys("")] == []


async def test_what_a_runner_leaves_when_it_ends_is_begun_at_once(place: Place) -> None:
    clock = ManualClock()
    async with opened(place, clock, ["drawer"]) as first:
        session_id = await first.accept("drawer", clock.now())
        first.models.gate.clear()
        async with first.running():
            await first.models.asked.wait()
        found = await first.book.find(session_id, "drawer")
        assert found is not None
        assert found.items[0].state is State.CREATED
    async with opened(place, clock, ["drawer"]) as second, second.running():
        await second.service.wait(session_id, "drawer", 60)
        await second.ended_once(session_id, "drawer")


class Babbler(Drawer):
    """Models whose answers hold what no database takes, or whose faults do."""

    def __init__(self, said: JsonValue, *, fails: bool) -> None:
        super().__init__()
        self.said = said
        self.fails = fails

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        if self.fails:
            raise Unfit(details={"said": self.said})
        drawn = await super().predict(job, on_progress)
        return Prediction(drawn.images, {**drawn.metadata, "said": self.said})


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("said", ["a\0b", "\ud800", math.nan, [math.inf]])
async def test_what_can_never_be_written_down_ends_its_item(
    place: Place, said: JsonValue, *, fails: bool
) -> None:
    clock = SystemClock()
    async with opened(place, clock, ["drawer"], worker=Babbler(said, fails=fails)) as sessions:
        session_id = await sessions.accept("drawer", clock.now())
        async with sessions.running():
            found = await sessions.service.wait(session_id, "drawer", 60)
        assert found.state is State.FAILED
        fault = found.items[0].fault
        assert fault is not None
        assert fault.code is (ErrorCode.UNFIT if fails else ErrorCode.INTERNAL)
        assert found.items[0].attempt == 1
        assert [key async for key in sessions.store.keys("results")] == []


@pytest.mark.slow
async def test_a_result_is_written_down_when_the_database_is_back(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    place = Place(create_database(postgres_server.url), f"file://{tmp_path}/objects")
    clock = ManualClock()  # no lease is over, however long the server takes to come back
    async with opened(place, clock, ["drawer"]) as sessions:
        session_id = await sessions.accept("drawer", clock.now())
        sessions.models.gate.clear()
        async with sessions.running():
            await sessions.models.asked.wait()
            await asyncio.to_thread(postgres_server.kill)
            sessions.models.gate.set()
            await asyncio.to_thread(postgres_server.start)
            await sessions.service.wait(session_id, "drawer", 60)
            found = await sessions.ended_once(session_id, "drawer")
            assert found.items[0].attempt == 1


@pytest.mark.parametrize("by", ["runner", "erasing"])
async def test_what_ends_by_itself_wakes_all_whom_it_concerns(place: Place, by: str) -> None:
    clock = ManualClock()
    async with opened(place, clock, ["drawer"]) as sessions, AsyncExitStack() as stack:
        session_id = await sessions.accept("drawer", clock.now())
        clock.time_s += DAY_S
        concerned = (topics.OUTBOX, topics.LEASES, topics.of_session(session_id))
        heard = [sessions.notices.listen(topic) for topic in concerned]
        for each in heard:
            await anext(each)  # the first comes at once
        if by == "runner":
            await stack.enter_async_context(sessions.running())
        else:
            assert await sessions.service.erase_due() == 1
        async with asyncio.timeout(60):
            for each in heard:
                await anext(each)
