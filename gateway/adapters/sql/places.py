"""Where a session stands in the queue, and when it will be done."""

from typing import Any, Final

from sqlalchemy import Row, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql.tables import session_items
from gateway.domain.sessions import Place
from gateway.domain.sessions_lifecycle import OPEN, State
from gateway.domain.sessions_queue import estimate_s

_RECENT: Final = 20


async def place_of(connection: AsyncConnection, session: Row[Any]) -> Place | None:
    """The place of the first of a session's open items; None where none is open."""
    own = await _own(connection, session.id)
    if own.left == 0:
        return None
    mine, engine = session_items.c, session.engine
    queue = select(
        func.count(case((mine.state == State.CREATED.value, 1))).filter(mine.rank < own.rank),
        func.count(case((mine.state == State.PROCESSING.value, 1))),
    ).where(mine.engine == engine, mine.state.in_(OPEN))
    waiting, abreast = (await connection.execute(queue)).one()
    before = 0 if own.begun else waiting
    mean_s = await _mean_s(connection, engine)
    return Place(before, estimate_s(mean_s, before + own.left, abreast))


async def _own(connection: AsyncConnection, session_id: str) -> Row[Any]:
    mine = session_items.c
    open_ones = select(
        func.count().label("left"),
        func.count(case((mine.state == State.PROCESSING.value, 1))).label("begun"),
        func.min(mine.rank).label("rank"),
    ).where(mine.session_id == session_id, mine.state.in_(OPEN))
    row: Row[Any] = (await connection.execute(open_ones)).one()
    return row


async def _mean_s(connection: AsyncConnection, engine: str) -> float | None:
    """How long the engine's last items took."""
    done = session_items.c
    recent = (
        select((done.ended_at - done.started_at).label("took_s"))
        .where(done.engine == engine, done.state == State.COMPLETED.value)
        .order_by(done.rank.desc())
        .limit(_RECENT)
        .subquery()
    )
    mean: float | None = (await connection.execute(select(func.avg(recent.c.took_s)))).scalar_one()
    return mean
