"""What erasing and the audit need from the world, as protocols."""

from __future__ import annotations

from typing import Protocol

from gateway.domain.audit import AuditEvent


class AuditLog(Protocol):
    """Where audit lines lie; everything raises DatabaseFailed."""

    async def add(self, event: AuditEvent) -> None:
        """Write an event down."""
        ...

    async def find(self, event_id: str, event: str, caller: str) -> AuditEvent | None:
        """An event of this kind that is this caller's; nobody else's."""
        ...

    async def clear(self, before: float) -> int:
        """Erase events older than a Unix time; how many."""
        ...
