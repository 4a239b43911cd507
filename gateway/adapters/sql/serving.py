"""Which items an engine may make, and which is the first of some: as conditions and a query."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from gateway.adapters.sql.records import ALTERNATIVES
from gateway.adapters.sql.tables import session_items, sessions
from gateway.domain.sessions_lifecycle import State

_OF_SESSION: Final = (
    sessions.c.kind,
    sessions.c.request_id,
    sessions.c.created_at,
    sessions.c.expires_at,
    sessions.c.payer,
)


def served(
    engines: Collection[str], instead: Mapping[str, Collection[str]]
) -> Sequence[ColumnElement[bool]]:
    """What these engines may make, and those of `instead` in another's place: a condition each.

    Each names one engine whose items they are, by which the queue's index has them in their order.
    """
    items = session_items.c
    own = [items.engine == name for name in sorted(engines)]
    others = [and_(items.engine == name, or_(*map(_names, able))) for name, able in instead.items()]
    return [*own, *others]


def has_enough(per_owner: int, now: float) -> ColumnElement[bool]:
    """As many of its owner's items are in the making as may be.

    Asked within the statement: a queue may begin with thousands of items that wait for others.
    """
    others = session_items.alias("running").c
    running = (
        select(others.owner)
        .where(others.state == State.PROCESSING.value, others.lease_until > now)
        .group_by(others.owner)
        .having(func.count() >= per_owner)
    )
    return session_items.c.owner.in_(running)


def first_of(*which: ColumnElement[bool]) -> Select[Any]:
    """The first of such items, held with its session; what others hold is passed over."""
    items = session_items.c
    return (
        select(session_items, *_OF_SESSION)
        .join(sessions, sessions.c.id == items.session_id)
        .where(*which)
        .order_by(items.rank, items.session_id)
        .limit(1)
        .with_for_update(skip_locked=True, of=[session_items, sessions])
    )


def _names(engine: str) -> ColumnElement[bool]:
    """The item may be made by this engine, as the list within its JSON says."""
    told: ColumnElement[str] = session_items.c.ask[ALTERNATIVES].as_string()
    return told.contains(f'"{engine}"', autoescape=True)
