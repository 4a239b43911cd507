"""Whatever step a runner is killed at, what was accepted ends once, and well."""

from pathlib import Path

import pytest

from gateway.adapters.clock import SystemClock
from tests.gateway.sessions.dying import LaterClock, die_at_every_step, killed
from tests.gateway.sessions.kills import run_until_killed
from tests.gateway.sessions.workshop import Place, opened

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_killed_at_any_step_nothing_is_lost_and_nothing_ends_twice(
    database_url: str, tmp_path: Path
) -> None:
    place = Place(database_url, f"file://{tmp_path}/objects")
    clock = SystemClock()
    async with opened(place, clock, ["whole"]) as sessions:
        whole = await sessions.accept("whole", clock.now())
        steps = await killed(run_until_killed, place, whole, "whole", None)
        assert steps is not None
        await sessions.ended_once(whole, "whole")
        names = [f"step-{number}" for number in range(steps)]
        ids = [await sessions.accept(name, clock.now()) for name in names]
        await die_at_every_step(run_until_killed, place, ids, names)
    async with opened(place, LaterClock(), names) as sessions:
        async with sessions.running():
            for name, session_id in zip(names, ids, strict=True):
                await sessions.service.wait(session_id, name, 60)
        found = [await sessions.ended_once(*one) for one in zip(ids, names, strict=True)]
    attempts = [session.items[0].attempt for session in found]
    assert set(attempts) == {1, 2}
