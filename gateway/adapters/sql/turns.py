"""The only way to change a session: its row is held, moves are guarded, and events tell of them.

Whoever changes a session or an item of it first holds the session's row, so that writers take
turns: its events are numbered without a gap, and the last of its items sees that it is the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.adapters.sql.fencing import is_attempt
from gateway.adapters.sql.tables import session_events, session_items, sessions
from gateway.adapters.sql.webhook_outbox import enqueue
from gateway.domain.sessions import EventKind
from gateway.domain.sessions_lifecycle import ENDED, OPEN, Move, State, after, ending, origins
from gateway.domain.sessions_webhooks import kind_of


@dataclass(frozen=True, slots=True)
class Turns:
    """Gives turns at sessions; `tells` whether endpoints of webhooks are told of what happens."""

    tells: bool

    def take(
        self, connection: Connection, session_id: str, now: float, owner: str | None = None
    ) -> "Turn | None":
        """Wait for the session; None where there is none, or it is not the owner's."""
        told = {"id": session_id, "owner": owner, "now": now}
        row = connection.execute(_HELD if owner is None else _OWN, told).one_or_none()
        return None if row is None else Turn(connection, row, now, tells=self.tells)


class Turn:
    """A transaction's turn at one session; `close` writes what happened in it."""

    def __init__(
        self, connection: Connection, session: Row[Any], now: float, *, tells: bool
    ) -> None:
        self._connection = connection
        self._now = now
        self._tells = tells
        self._events: list[Mapping[str, Any]] = []
        self._changes: dict[str, Any] = {}
        self.session = session
        self.state = State(session.state)

    def tell(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        """Say what happened."""
        self._events.append({"kind": kind.value, "at": self._now, "data": dict(data)})

    def set(self, **changes: object) -> None:
        """Change columns of the session."""
        self._changes |= changes

    def move_item(
        self, position: int, move: Move, attempt: int, changes: dict[str, Any]
    ) -> State | None:
        """Make a move of an item that is still in this attempt; gives its new state, or None."""
        state = after(next(iter(origins(move))), move)
        values = {"state": state.value} | self._ended(state) | changes
        guarded = (
            update(session_items)
            .where(
                session_items.c.session_id == self.session.id,
                session_items.c.position == position,
                is_attempt(attempt),
                session_items.c.state.in_(origins(move)),
            )
            .values(values)
        )
        moved = self._connection.execute(guarded).rowcount == 1
        return state if moved else None

    def end_all(self, move: Move) -> bool:
        """Cancel or expire the session with every open item, and tell of each; if it was open."""
        if self.state not in OPEN:
            return False
        state = after(self.state, move)
        items = (
            update(session_items)
            .where(
                session_items.c.session_id == self.session.id,
                session_items.c.state.in_(origins(move)),
            )
            .values(state=state.value, **self._ended(state))
            .returning(session_items.c.position)
        )
        for position in sorted(self._connection.execute(items).scalars()):
            self.tell(EventKind.ITEM, {"item": position, "state": state.value})
        self.move(move)
        return True

    def settle(self) -> None:
        """End the session if the last of its items has ended."""
        found = self._connection.execute(_STATES, {"session_id": self.session.id}).scalars()
        move = ending(State(state) for state in found)
        if move is not None and self.state in OPEN:
            self.move(move)

    def move(self, move: Move) -> None:
        """Make a move of the session itself; raises IllegalMove."""
        self.state = after(self.state, move)
        self.set(state=self.state.value, **self._ended(self.state))
        self.tell(EventKind.STATE, {"state": self.state.value})

    def close(self) -> None:
        """Write the session's changes and its events."""
        first = self.session.last_event + 1
        rows = [
            {"session_id": self.session.id, "seq": first + place, **event}
            for place, event in enumerate(self._events)
        ]
        changes = self._changes | {"last_event": self.session.last_event + len(rows)}
        self._connection.execute(_CHANGE, {"own": self.session.id, **changes})
        if rows:
            self._connection.execute(_TELL, rows)
        for event in self._events if self._tells else ():
            self._tell_outside(event)

    def _tell_outside(self, event: Mapping[str, Any]) -> None:
        """Tell the owner's endpoints; what they get is an event's own, and no link."""
        kind = kind_of(EventKind(event["kind"]), event["data"])
        if kind is None:
            return
        session = self.session
        told = {
            "session_id": session.id,
            "request_id": session.request_id,
            "engine": session.engine,
            "kind": session.kind,
            "created_at": datetime.fromtimestamp(session.created_at, UTC).isoformat(),
            **event["data"],
        }
        enqueue(self._connection, session.owner, session.id, kind, told, self._now)

    def _ended(self, state: State) -> dict[str, Any]:
        return {"ended_at": self._now} if state in ENDED else {}


# Built once, as in `book`.
_HELD: Final = select(sessions).where(sessions.c.id == bindparam("id")).with_for_update()
_OWN: Final = _HELD.where(
    sessions.c.owner == bindparam("owner"),
    ~sessions.c.is_forgotten,
    sessions.c.expires_at > bindparam("now"),
)
_STATES: Final = select(session_items.c.state).where(
    session_items.c.session_id == bindparam("session_id")
)
_CHANGE: Final = update(sessions).where(sessions.c.id == bindparam("own"))
_TELL: Final = insert(session_events)
