"""Where a session stands in the queue, and when it will be done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Double,
    Integer,
    Row,
    ScalarSelect,
    Select,
    String,
    bindparam,
    func,
    select,
    tuple_,
)

from gateway.adapters.sql.queue import QueueRules
from gateway.adapters.sql.tables import session_items
from gateway.domain.sessions import Place
from gateway.domain.sessions_lifecycle import State
from gateway.domain.sessions_places import Foresight, Running, Waiting, done_at

MOST: Final = 128
"""So many items that wait are looked at, those with the smallest ranks;"""
MOST_OF_ONE: Final = 32
"""of one owner and engine so many. Whoever stands behind them is told how many stand before."""

_RECENT: Final = 20


@dataclass(frozen=True, slots=True)
class _Queue:
    """What is begun, everywhere, and what of one session `waits`, the next one first.

    `lost` is begun, too, but its runners are gone: it waits in line with the others.
    """

    session_id: str
    engine: str
    waits: Sequence[Row[Any]]
    lost: Sequence[Row[Any]]
    running: Sequence[Running]
    mean_s: float | None
    now: float

    @property
    def is_being_made(self) -> bool:
        return any(one.session_id == self.session_id for one in self.running)

    @property
    def ends_at(self) -> list[float]:
        """When each of the engine's seats will be free, the first one first; at least one is."""
        here = (one.started_at for one in self.running if one.engine == self.engine)
        return sorted(max(self.now, at + (self.mean_s or 0.0)) for at in here) or [self.now]

    def place(self, before: int, ends_at: float) -> Place:
        """The place with so many before it, whose last item that waits will be done then."""
        if self.mean_s is None:
            return Place(0 if self.is_being_made else before, None)
        mine = (one.started_at for one in self.running if one.session_id == self.session_id)
        last = max((at + self.mean_s for at in mine), default=self.now)
        seconds = round(max(ends_at, last) - self.now, 1)
        return Place(0 if self.is_being_made else before, max(0.0, seconds))


def place_of(
    connection: Connection, session_id: str, engine: str, rules: QueueRules, now: float
) -> Place | None:
    """The place of the first of a session's open items; None where none is open."""
    queue = _read(connection, session_id, engine, rules, now)
    if not queue.waits:
        return queue.place(0, now) if queue.is_being_made else None
    return _by_rank(connection, queue, rules) or _foreseen(connection, queue, rules)


def _read(
    connection: Connection, session_id: str, engine: str, rules: QueueRules, now: float
) -> _Queue:
    rows = connection.execute(_OPEN, {"session_id": session_id, "engine": engine}).all()
    begun = [row for row in rows if row.state == State.PROCESSING]
    held = [row for row in begun if now < row.lease_until <= now + rules.horizon_s]
    lost = [row for row in begun if row not in held and row.tries < rules.max_tries]
    running = [Running(row.session_id, row.owner, row.engine, row.started_at) for row in held]
    own = [row for row in rows if row.state == State.CREATED]
    own += [row for row in lost if row.session_id == session_id]
    mean_s = rows[0].mean_s if rows else None
    return _Queue(session_id, engine, sorted(own, key=_order), lost, running, mean_s, now)


def _by_rank(connection: Connection, queue: _Queue, rules: QueueRules) -> Place | None:
    """The place if rank alone decides; None where somebody may be held back.

    Nobody is while an owner may have as many as are made at a time, and nothing was given back.
    """
    elsewhere = sum(one.engine != queue.engine for one in queue.running)
    if queue.lost or elsewhere + len(queue.ends_at) > rules.per_owner:
        return None
    counted = _counted(connection, queue, rules)
    return None if counted.given_back else _behind(queue, counted)


def _foreseen(connection: Connection, queue: _Queue, rules: QueueRules) -> Place:
    """The place in the order that is foreseen, or, far back, by rank."""
    most = {"most": MOST, "most_of_one": MOST_OF_ONE}
    rows = sorted([*connection.execute(_WAITING, most), *queue.lost], key=_order)
    waiting = [
        Waiting(row.session_id, row.owner, row.engine, _due_at(row, rules, queue.now))
        for row in rows
    ]
    engines = {one.engine for one in waiting} | {one.engine for one in queue.running}
    told = {engine: connection.execute(_TOOK, {"engine": engine}).scalar() for engine in engines}
    took_s = {engine: mean_s or 0.0 for engine, mean_s in told.items()}
    foresight = Foresight(queue.running, took_s, rules.per_owner, queue.now)
    before, ends_at = foresight.find(waiting, queue.engine, queue.session_id, len(queue.waits))
    if before is None or ends_at is None:
        far = _behind(queue, _counted(connection, queue, rules))
        return far if before is None else replace(far, queue_position=before)
    return queue.place(before, ends_at)


def _due_at(row: Row[Any], rules: QueueRules, now: float) -> float:
    is_waiting = row.state == State.CREATED and row.not_before <= now + rules.horizon_s
    return float(row.not_before) if is_waiting else now


def _counted(connection: Connection, queue: _Queue, rules: QueueRules) -> Row[int, int, int]:
    first, last = queue.waits[0], queue.waits[-1]
    told = {
        "engine": queue.engine,
        "session_id": queue.session_id,
        "first": first.rank,
        "last": last.rank,
        "now": queue.now,
        "horizon": queue.now + rules.horizon_s,
    }
    return connection.execute(_COUNTED, told).one()


def _behind(queue: _Queue, counted: Row[int, int, int]) -> Place:
    before_last = max(0, counted.before_last - 1)
    return queue.place(counted.before, done_at(queue.ends_at, queue.mean_s or 0.0, before_last))


def _order(row: Row[Any]) -> tuple[float, str]:
    """As runners claim."""
    return row.rank, row.session_id


def _mean_s() -> ScalarSelect[float | None]:
    """How long the engine's last items took, in seconds."""
    done = session_items.alias("done").c
    recent = (
        select((done.ended_at - done.started_at).label("took_s"))
        .where(
            done.state == State.COMPLETED.value, done.engine == bindparam("engine", type_=String)
        )
        .order_by(done.rank.desc())
        .limit(_RECENT)
        .subquery("recent")
    )
    return select(func.avg(recent.c.took_s)).scalar_subquery()


_ITEM: Final = session_items.c
_IS_CREATED: Final = _ITEM.state == State.CREATED.value
_COLUMNS: Final = (
    _ITEM.session_id,
    _ITEM.owner,
    _ITEM.engine,
    _ITEM.state,
    _ITEM.rank,
    _ITEM.tries,
    _ITEM.not_before,
    _ITEM.lease_until,
    _ITEM.started_at,
)
_TOOK: Final = select(_mean_s())


def _open() -> Select[Any]:
    """All that is begun, and what of one session waits."""
    begun = select(*_COLUMNS).where(_ITEM.state == State.PROCESSING.value)
    mine = select(*_COLUMNS).where(_ITEM.session_id == bindparam("session_id"), _IS_CREATED)
    rows = begun.union_all(mine).subquery("open")
    return select(rows, _mean_s().label("mean_s"))


def _count() -> Select[int, int, int]:
    """How many of an engine stand before a session's first and, with it, its last item."""
    told = bindparam("session_id", type_=String)
    stand = tuple_(_ITEM.rank, _ITEM.session_id)
    is_given_back = (_ITEM.not_before > bindparam("now", type_=Double)) & (
        _ITEM.not_before <= bindparam("horizon", type_=Double)
    )
    return select(
        func.count().filter(stand < tuple_(bindparam("first", type_=Double), told)).label("before"),
        func.count().label("before_last"),
        func.count().filter(is_given_back).label("given_back"),
    ).where(
        _IS_CREATED,
        _ITEM.engine == bindparam("engine"),
        _ITEM.rank <= bindparam("last", type_=Double),
        stand <= tuple_(bindparam("last", type_=Double), told),
    )


def _waiting() -> Select[Any]:
    """What waits, in the order in which it is claimed, a part of it of each owner."""
    order = (_ITEM.rank, _ITEM.session_id)
    nth = func.row_number().over(partition_by=(_ITEM.owner, _ITEM.engine), order_by=order)
    rows = select(*_COLUMNS, nth.label("nth")).where(_IS_CREATED).subquery("waiting")
    return (
        select(rows)
        .where(rows.c.nth <= bindparam("most_of_one", type_=Integer))
        .order_by(rows.c.rank, rows.c.session_id)
        .limit(bindparam("most", type_=Integer))
    )


_OPEN: Final = _open()
_COUNTED: Final = _count()
_WAITING: Final = _waiting()
