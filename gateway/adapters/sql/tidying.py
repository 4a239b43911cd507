"""Ends what nobody ends otherwise: sessions past their time, and items that nobody survived."""

from collections.abc import Collection

from sqlalchemy import Connection, select, union

from gateway.adapters.sql.due import Due
from gateway.adapters.sql.records import fault_json
from gateway.adapters.sql.tables import session_items, sessions
from gateway.adapters.sql.turns import Turn
from gateway.domain.sessions import EventKind
from gateway.domain.sessions_lifecycle import ENDED, OPEN, Move, State
from gateway.domain.sessions_queue import given_up


def over(connection: Connection, due: Due, now: float) -> Collection[str]:
    """The sessions that have something to end."""
    # One index each. The first would go by the state if it could, and read all that is open.
    expired = select(sessions.c.id).where(
        sessions.c.state.not_in(ENDED), sessions.c.expires_at <= now
    )
    cancelled = select(sessions.c.id).where(sessions.c.state.in_(OPEN), sessions.c.cancel_at <= now)
    lost = select(session_items.c.session_id).where(due.is_beyond(now))
    return set(connection.execute(union(expired, cancelled, lost)).scalars())


def end_what_is_over(connection: Connection, turn: Turn, due: Due, now: float) -> None:
    """End the session if its time is over, or else those of its items that nobody survived."""
    session = turn.session
    is_over = session.expires_at <= now
    if is_over or (session.cancel_at is not None and session.cancel_at <= now):
        never_begun = turn.state is State.CREATED
        turn.end_all(Move.EXPIRE if is_over or never_begun else Move.CANCEL)
        return
    items = session_items.c
    lost = select(session_items).where(items.session_id == session.id, due.is_beyond(now))
    for row in connection.execute(lost).all():
        fault = fault_json(given_up(row.tries))
        changes = {"fault": fault, "progress": None, "tickets": None}
        state = turn.move_item(row.position, Move.FAIL, row.attempt, changes)
        if state is not None:
            told = {"item": row.position, "state": state.value, **fault}
            turn.tell(EventKind.ITEM, told)
    turn.settle()
