"""Where a session stands in the queue, and when it will be done."""

from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Connection,
    FromClause,
    Label,
    Select,
    bindparam,
    case,
    func,
    or_,
    select,
)

from gateway.adapters.sql.tables import session_items
from gateway.domain.sessions import Place
from gateway.domain.sessions_lifecycle import OPEN, State
from gateway.domain.sessions_queue import estimate_s

_RECENT: Final = 20
_ENGINE: Final[BindParameter[str]] = bindparam("engine")


def place_of(connection: Connection, session_id: str, engine: str) -> Place | None:
    """The place of the first of a session's open items; None where none is open."""
    told = {"session_id": session_id, "engine": engine}
    row = connection.execute(_PLACE, told).one()
    if row.left == 0:
        return None
    before = 0 if row.begun else row.waiting
    return Place(before, estimate_s(row.mean_s, before + row.left, row.abreast))


def _place() -> Select[Any]:
    """One statement for all that a place takes: each is a visit of the database."""
    own = _own()
    return select(own, _waiting(own), _abreast(), _mean_s()).select_from(own)


def _own() -> FromClause:
    mine = session_items.c
    # Not `in_`, which is spelt out anew for every execution.
    is_open = or_(*(mine.state == state.value for state in sorted(OPEN)))
    return (
        select(
            func.count().label("left"),
            func.count(case((mine.state == State.PROCESSING.value, 1))).label("begun"),
            func.min(mine.rank).label("rank"),
        )
        .where(mine.session_id == bindparam("session_id"), is_open)
        .subquery("own")
    )


def _waiting(own: FromClause) -> Label[int]:
    others = session_items.alias("others").c
    return (
        select(func.count())
        .where(
            others.state == State.CREATED.value,
            others.engine == _ENGINE,
            others.rank < own.c.rank,
        )
        .scalar_subquery()
        .label("waiting")
    )


def _abreast() -> Label[int]:
    others = session_items.alias("abreast").c
    return (
        select(func.count())
        .where(others.state == State.PROCESSING.value, others.engine == _ENGINE)
        .scalar_subquery()
        .label("abreast")
    )


def _mean_s() -> Label[float | None]:
    """How long the engine's last items took."""
    done = session_items.alias("done").c
    recent = (
        select((done.ended_at - done.started_at).label("took_s"))
        .where(done.state == State.COMPLETED.value, done.engine == _ENGINE)
        .order_by(done.rank.desc())
        .limit(_RECENT)
        .subquery("recent")
    )
    return select(func.avg(recent.c.took_s)).scalar_subquery().label("mean_s")


_PLACE: Final = _place()
