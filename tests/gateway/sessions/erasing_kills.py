"""A gateway that is killed before one of the steps of erasing a session."""

import asyncio
from multiprocessing.connection import Connection

from gateway.adapters.clock import SystemClock
from tests.gateway.sessions.kills import CALM, Failpoints
from tests.gateway.sessions.workshop import Place, opened


def delete_until_killed(
    place: Place, session_id: str, engine: str, fatal: int | None, told: Connection
) -> None:
    """Delete a session; tells how many steps it took, if it lives to tell it."""
    points = Failpoints(fatal)
    asyncio.run(_delete(place, session_id, engine, points))
    told.send(points.passed)


async def _delete(place: Place, session_id: str, engine: str, points: Failpoints) -> None:
    async with opened(place, SystemClock(), [engine], CALM) as sessions:
        points.install()
        await asyncio.create_task(sessions.service.delete(session_id, engine))
