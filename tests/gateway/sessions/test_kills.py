"""Whatever step a runner is killed at, what was accepted ends once, and well."""

import asyncio
import multiprocessing
import signal
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

from gateway.adapters.clock import SystemClock
from gateway.domain.images import picture_of_png
from gateway.domain.names import Folder
from gateway.domain.sessions import Ask, Draft, EventKind, Kind, Session
from gateway.domain.sessions_lifecycle import ENDED, State
from tests.gateway import pictures
from tests.gateway.sessions.kills import run_until_killed
from tests.gateway.sessions.workshop import LEASE_S, Place, Sessions, opened

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


async def accepted(sessions: Sessions, engine: str) -> str:
    now = SystemClock().now()
    picture = picture_of_png(pictures.png((32, 40)))
    names = [str(await sessions.pictures.put(picture, now + 3600)) for _ in range(2)]
    asked = dict(zip(("user_image", "garment_image"), names, strict=True))
    given = {"category": "upper_body", "output_format": "jpeg"}
    draft = Draft(
        session_id=token_hex(8),
        owner=engine,
        kind=Kind.STANDARD,
        engine=engine,
        asks=(Ask(asked, given),),
        request_id="0123456789abcdef",
        created_at=now,
        expires_at=now + 3600,
    )
    return (await sessions.book.create(draft)).session_id


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


async def ended_once(sessions: Sessions, session_id: str, engine: str) -> Session:
    found = await sessions.book.find(session_id, engine)
    events = await sessions.book.events_since(session_id, engine, 0, 1000)
    assert found is not None
    assert events is not None
    told = [event.data["state"] for event in events if event.kind is EventKind.STATE]
    assert [state for state in told if state in ENDED] == [State.COMPLETED]
    outcome = found.items[0].outcome
    assert outcome is not None
    for name in outcome.result.names:
        assert await sessions.store.exists(f"{Folder.RESULTS}/{name}")
    return found


async def test_killed_at_any_step_nothing_is_lost_and_nothing_ends_twice(
    database_url: str, tmp_path: Path
) -> None:
    place = Place(database_url, f"file://{tmp_path}/objects")
    clock = SystemClock()
    async with opened(place, clock, ["whole"]) as sessions:
        whole = await accepted(sessions, "whole")
        steps = await killed(place, whole, "whole", None)
        assert steps is not None
        await ended_once(sessions, whole, "whole")
        names = [f"step-{number}" for number in range(steps)]
        ids = [await accepted(sessions, name) for name in names]
        room = asyncio.Semaphore(AT_ONCE)

        async def dies(number: int) -> bool:
            async with room:
                return await killed(place, ids[number], names[number], number) is None

        deaths = sum(await asyncio.gather(*(dies(number) for number in range(steps))))
    assert deaths > steps / 2
    async with opened(place, LaterClock(), names) as sessions:
        running = asyncio.create_task(sessions.runner.run())
        for name, session_id in zip(names, ids, strict=True):
            await sessions.service.wait(session_id, name, 60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        found = [await ended_once(sessions, *one) for one in zip(ids, names, strict=True)]
    attempts = [session.items[0].attempt for session in found]
    assert set(attempts) == {1, 2}
