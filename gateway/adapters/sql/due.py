"""Which items may be begun, and which no more, as conditions: by their times and their tries."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from gateway.adapters.sql.tables import session_items, sessions
from gateway.domain.sessions_lifecycle import OPEN, Move, origins


@dataclass(frozen=True, slots=True)
class Due:
    """Conditions on items at a Unix time.

    One is begun `max_tries` times at most. What lies more than `horizon_s` ahead was written by a
    clock that has been put back since, and counts as past.
    """

    max_tries: int
    horizon_s: float

    def waits(self, now: float) -> ColumnElement[bool]:
        """It waits, and its time has come."""
        items = session_items.c
        is_due = self._is_past(items.not_before, now)
        return and_(items.state.in_(origins(Move.CLAIM)), is_due)

    def is_lost(self, now: float) -> ColumnElement[bool]:
        """Its runner let the lease pass, and it may be begun again."""
        return and_(self._lease_is_over(now), session_items.c.tries < self.max_tries)

    def is_beyond(self, now: float) -> ColumnElement[bool]:
        """Its runner let the lease pass once too often."""
        return and_(self._lease_is_over(now), session_items.c.tries >= self.max_tries)

    def _lease_is_over(self, now: float) -> ColumnElement[bool]:
        items = session_items.c
        is_past = self._is_past(items.lease_until, now)
        return and_(items.state.in_(origins(Move.TAKE_OVER)), is_past)

    def _is_past(self, column: ColumnElement[Any], now: float) -> ColumnElement[bool]:
        return or_(column <= now, column > now + self.horizon_s)


def is_in_time(now: float) -> tuple[ColumnElement[bool], ...]:
    """The session is not about to end by itself."""
    return (
        sessions.c.state.in_(OPEN),
        ~sessions.c.is_forgotten,
        sessions.c.expires_at > now,
        or_(sessions.c.cancel_at.is_(None), sessions.c.cancel_at > now),
    )
