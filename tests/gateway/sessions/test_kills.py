"""Whatever step a runner is killed at, what was accepted ends once, and well."""

import asyncio
import multiprocessing
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.adapters.clock import SystemClock
from tests.gateway.sessions.kills import run_until_killed
from tests.gateway.sessions.workshop import LEASE_S, Place, opened

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "alembic.config",
        "alembic.migration",
        "alembic.operations",
        "alembic.script",
        "sqlalchemy.dialects.postgresql.asyncpg",
        "sqlalchemy.dialects.sqlite.aiosqlite",
        "tests.gateway.sessions.kills",
    ]
)
AT_ONCE = 4


@dataclass
class LaterClock:
    """The machine's clock, after every lease of before is over."""

    def now(self) -> float:
        return SystemClock().now() + LEASE_S + 1

    def monotonic(self) -> float:
        return SystemClock().monotonic()


async def killed(place: Place, session_id: str, engine: str, fatal: int | None) -> int | None:
    """Run a session in a process that dies at a step; the steps it took if it did not."""
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(
        target=run_until_killed, args=(place, session_id, engine, fatal, theirs)
    )
    await asyncio.to_thread(process.start)
    theirs.close()
    await asyncio.to_thread(process.join, 60)
    code = process.exitcode
    process.close()
    assert code in {0, -signal.SIGKILL}
    return ours.recv() if code == 0 else None


async def test_killed_at_any_step_nothing_is_lost_and_nothing_ends_twice(
    database_url: str, tmp_path: Path
) -> None:
    place = Place(database_url, f"file://{tmp_path}/objects")
    clock = SystemClock()
    async with opened(place, clock, ["whole"]) as sessions:
        whole = await sessions.accept("whole", clock.now())
        steps = await killed(place, whole, "whole", None)
        assert steps is not None
        await sessions.ended_once(whole, "whole")
        names = [f"step-{number}" for number in range(steps)]
        ids = [await sessions.accept(name, clock.now()) for name in names]
        room = asyncio.Semaphore(AT_ONCE)

        async def dies(number: int) -> bool:
            async with room:
                return await killed(place, ids[number], names[number], number) is None

        deaths = sum(await asyncio.gather(*(dies(number) for number in range(steps))))
    assert deaths > steps / 2
    async with opened(place, LaterClock(), names) as sessions:
        async with sessions.running():
            for name, session_id in zip(names, ids, strict=True):
                await sessions.service.wait(session_id, name, 60)
        found = [await sessions.ended_once(*one) for one in zip(ids, names, strict=True)]
    attempts = [session.items[0].attempt for session in found]
    assert set(attempts) == {1, 2}
