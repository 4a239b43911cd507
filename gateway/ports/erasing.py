"""What erasing and the audit need from the world, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from pydantic import JsonValue

from gateway.domain.audit import AuditEvent
from gateway.domain.jobs import Job


class AuditLog(Protocol):
    """Where audit lines lie; everything raises DatabaseFailed."""

    async def add(self, event: AuditEvent) -> None:
        """Write an event down."""
        ...

    async def amend(self, event_id: str, detail: Mapping[str, JsonValue]) -> None:
        """Replace what else is to know of an event."""
        ...

    async def find(self, event_id: str, event: str, caller: str) -> AuditEvent | None:
        """An event of this kind that is this caller's; nobody else's."""
        ...

    async def clear(self, before: float) -> int:
        """Erase events older than a Unix time; how many."""
        ...


class Eraser(Protocol):
    """The rows of what is erased; everything raises DatabaseFailed."""

    async def finish(
        self, session_id: str, line_of: Callable[[Mapping[str, int]], AuditEvent]
    ) -> AuditEvent | None:
        """Drop a session's rows and write the audit line that is made of their counts.

        None where another gateway has done it.
        """
        ...

    async def leave_no_trace(self) -> bool:
        """Have nothing in the database's log of what was erased; whether that was possible."""
        ...

    async def missing(self, session_ids: Collection[str]) -> frozenset[str]:
        """Those of which there are no rows."""
        ...

    async def erased(self, session_ids: Collection[str]) -> frozenset[str]:
        """Those of which there is a receipt."""
        ...

    async def clear_keys(self) -> int:
        """Erase keys of repeated requests that are over; how many."""
        ...

    async def clear_messages(self, older_than_s: float) -> int:
        """Erase messages of webhooks that ended, or were to be sent, so long ago; how many."""
        ...

    async def overdue(self) -> tuple[int, float]:
        """How many sessions are to be erased, and for how many seconds the oldest is over."""
        ...


class Workers(Protocol):
    """Models whose workers remember pictures."""

    async def tell(self, job: Job) -> int | None:
        """Ask every host of a model that is ready once; how many entries were dropped.

        None where one that is there did not answer well.
        """
        ...
