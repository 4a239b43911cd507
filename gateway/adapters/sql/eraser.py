"""The last step of erasing a session: its rows go, and the receipt comes, in one transaction."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Table, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql.audit_log import write
from gateway.adapters.sql.audit_tables import audit_events
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.tables import (
    idempotency_keys,
    session_events,
    session_items,
    sessions,
)
from gateway.adapters.sql.turns import Turns
from gateway.adapters.sql.webhook_outbox import outlive
from gateway.adapters.sql.webhook_tables import webhook_deliveries, webhook_endpoints
from gateway.adapters.whole import whole
from gateway.domain.audit import AuditEvent
from gateway.domain.sessions_lifecycle import Move
from gateway.domain.webhooks import DeliveryState
from gateway.ports.clock import Clock

_AT_ONCE: Final = 500
_KINDS: Final[Mapping[str, Table]] = {
    "items": session_items,
    "events": session_events,
    "idempotency_keys": idempotency_keys,
    "webhooks": webhook_endpoints,
    "webhook_messages": webhook_deliveries,
}


class SqlEraser:
    """Implements the Eraser port."""

    def __init__(self, database: Database, clock: Clock, *, tells: bool = True) -> None:
        self._database = database
        self._clock = clock
        self._turns = Turns(tells)

    @whole
    async def finish(
        self, session_id: str, line_of: Callable[[Mapping[str, int]], AuditEvent]
    ) -> AuditEvent | None:
        """Drop a session's rows and write the audit line that is made of their counts.

        None where another gateway has done it.
        """
        async with self._database.writing() as connection:
            if not await connection.run_sync(partial(self._part, session_id)):
                return None
            counts = {kind: await _count(connection, of, session_id) for kind, of in _KINDS.items()}
            line = line_of(counts)
            keys = idempotency_keys.c.session_id == session_id
            await connection.execute(delete(idempotency_keys).where(keys))
            await connection.execute(delete(sessions).where(sessions.c.id == session_id))
            await write(connection, line)
        return line

    def _part(self, session_id: str, connection: Connection) -> bool:
        """End a session that is over, and let its last messages go on; whether it was there."""
        turn = self._turns.take(connection, session_id, self._clock.now())
        if turn is None:
            return False
        if turn.end_all(Move.EXPIRE):
            turn.close()
        outlive(connection, session_id)
        return True

    async def leave_no_trace(self) -> bool:
        """Have nothing in the database's log of what was erased; whether that was possible."""
        return await self._database.empty_log()

    async def missing(self, session_ids: Collection[str]) -> frozenset[str]:
        """Those of which there are no rows."""
        return frozenset(session_ids) - await self._known(sessions, session_ids)

    async def erased(self, session_ids: Collection[str]) -> frozenset[str]:
        """Those of which there is a receipt."""
        return await self._known(audit_events, session_ids)

    async def _known(self, table: Table, session_ids: Collection[str]) -> frozenset[str]:
        """Those that there is a row of."""
        asked, found = sorted(session_ids), set[str]()
        async with self._database.reading() as connection:
            for first in range(0, len(asked), _AT_ONCE):
                some = table.c.id.in_(asked[first : first + _AT_ONCE])
                found |= {*(await connection.execute(select(table.c.id).where(some))).scalars()}
        return frozenset(found)

    @whole
    async def clear_keys(self) -> int:
        """Erase keys of repeated requests that are over; how many."""
        over = delete(idempotency_keys).where(idempotency_keys.c.expires_at <= self._clock.now())
        async with self._database.writing() as connection:
            return (await connection.execute(over)).rowcount

    @whole
    async def clear_messages(self, older_than_s: float) -> int:
        """Erase messages of webhooks that ended, or were to be sent, so long ago; how many.

        The latter are left by a deployment that delivers none any more.
        """
        messages, before = webhook_deliveries.c, self._clock.now() - older_than_s
        never = and_(messages.state == DeliveryState.WAITING.value, messages.not_before < before)
        old = delete(webhook_deliveries).where(or_(messages.ended_at < before, never))
        async with self._database.writing() as connection:
            return (await connection.execute(old)).rowcount

    @whole
    async def overdue(self) -> tuple[int, float]:
        """How many sessions are still to be erased, and for how many seconds the oldest is over.

        One that was deleted before its time counts from its end.
        """
        now = self._clock.now()
        own = sessions.c
        due = func.min(func.coalesce(own.ended_at, own.expires_at)).filter(own.is_forgotten)
        over = func.min(own.expires_at).filter(own.expires_at <= now)
        which = or_(own.is_forgotten, own.expires_at <= now)
        found = select(func.count(), due, over).where(which)
        async with self._database.reading() as connection:
            row: Any = (await connection.execute(found)).one()
        since = min((at for at in row[1:] if at is not None), default=now)
        return row[0], max(0.0, now - since)


async def _count(connection: AsyncConnection, table: Table, session_id: str) -> int:
    mine = select(func.count()).select_from(table).where(table.c.session_id == session_id)
    count: int = (await connection.execute(mine)).scalar_one()
    return count
