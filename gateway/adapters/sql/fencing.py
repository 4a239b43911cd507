"""Which item a runner may still write to: that of its own attempt, and no other.

An attempt is a fencing token. Whoever lost an item carries the number of an attempt that is over,
and what he writes meets no row.
"""

from sqlalchemy import ColumnElement, Connection, select

from gateway.adapters.sql.tables import session_items
from gateway.domain.sessions import Claim
from gateway.domain.sessions_lifecycle import Move, State, after


def is_attempt(attempt: int) -> ColumnElement[bool]:
    """The fence."""
    return session_items.c.attempt == attempt


def is_still(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The item is still being made in the attempt that was claimed."""
    return (*_is_of(claim), session_items.c.state == State.PROCESSING.value)


def has_ended_so(connection: Connection, claim: Claim, move: Move) -> bool:
    """Whether this very attempt made this very move before: its answer was lost on the way."""
    state = after(State.PROCESSING, move)
    is_there = session_items.c.state == state.value
    same = select(session_items.c.position).where(*_is_of(claim), is_there)
    return connection.execute(same).one_or_none() is not None


def _is_of(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    items = session_items.c
    return (
        items.session_id == claim.session_id,
        items.position == claim.position,
        is_attempt(claim.attempt),
    )
