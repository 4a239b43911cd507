"""The audit in the database."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql.audit_tables import audit_events
from gateway.adapters.sql.database import Database
from gateway.adapters.whole import whole
from gateway.domain.audit import AuditEvent

_AT_ONCE: Final = 500


async def write(connection: AsyncConnection, event: AuditEvent) -> None:
    """Write an event down, in the transaction of what it tells of."""
    told = asdict(event)
    await connection.execute(
        insert(audit_events).values(id=told.pop("event_id"), **told | {"detail": event.detail})
    )


class SqlAuditLog:
    """Implements the AuditLog port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @whole
    async def add(self, event: AuditEvent) -> None:
        """Write an event down."""
        async with self._database.writing() as connection:
            await write(connection, event)

    @whole
    async def amend(self, event_id: str, detail: Mapping[str, JsonValue]) -> None:
        """Replace what else is to know of an event."""
        told = update(audit_events).where(audit_events.c.id == event_id)
        async with self._database.writing() as connection:
            await connection.execute(told.values(detail=dict(detail)))

    @whole
    async def find(self, event_id: str, event: str, caller: str) -> AuditEvent | None:
        """An event of this kind that is this caller's; nobody else's."""
        mine = audit_events.c
        wanted = select(audit_events).where(
            mine.id == event_id, mine.event == event, mine.caller == caller
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
        return None if row is None else _event(row)

    @whole
    async def clear(self, before: float) -> int:
        """Erase events older than a Unix time, some at a time; how many."""
        erased = 0
        old = select(audit_events.c.id).where(audit_events.c.at < before).limit(_AT_ONCE)
        while True:
            async with self._database.writing() as connection:
                gone = delete(audit_events).where(audit_events.c.id.in_(old))
                count = (await connection.execute(gone)).rowcount
            erased += count
            if count < _AT_ONCE:
                return erased


def _event(row: Row[Any]) -> AuditEvent:
    told = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return AuditEvent(event_id=told.pop("id"), **told)
