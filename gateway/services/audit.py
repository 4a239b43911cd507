"""The audit: who did what, when, from where, and why, as lines of the log and in the database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import structlog
from pydantic import JsonValue

from gateway.domain.audit import AuditEvent, shortened
from gateway.errors.kinds import DatabaseFailed
from gateway.ports.clock import Clock
from gateway.ports.erasing import AuditLog

_ID_BYTES: Final = 16
_NOTHING: Final[Mapping[str, JsonValue]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Visitor:
    """From where somebody asks."""

    address: str = ""
    user_agent: str = ""


NOBODY: Final = Visitor()


class AuditService:
    """Writes down what happened, and erases it when it is old enough."""

    def __init__(
        self, log: AuditLog, clock: Clock, randomness: Callable[[int], bytes], retention_s: float
    ) -> None:
        self._log = log
        self._clock = clock
        self._randomness = randomness
        self._retention_s = retention_s

    async def record(
        self,
        event: str,
        caller: str,
        visitor: Visitor = NOBODY,
        reason: str = "",
        detail: Mapping[str, JsonValue] = _NOTHING,
    ) -> str:
        """Write an event down and give its id; never raises.

        `event` is a name such as `login.refused`, `caller` the owner's key or empty, `detail` what
        else is to know: never a photo's trace, a token or a link.
        """
        made = self.made(event, caller, visitor, reason, detail)
        await self.keep(made)
        self.tell(made)
        return made.event_id

    async def keep(self, event: AuditEvent) -> None:
        """Write an event to the database; never raises."""
        try:
            await self._log.add(event)
        except DatabaseFailed:
            _logger().warning("an audit line is in this log alone", audit_id=event.event_id)

    async def amend(self, event_id: str, detail: Mapping[str, JsonValue]) -> None:
        """Say what else is known by now of an event in the database; never raises."""
        try:
            await self._log.amend(event_id, detail)
        except DatabaseFailed:
            told = {"audit_id": event_id, "detail": dict(detail)}
            _logger().warning("what became of an audit line is in this log alone", **told)

    def made(
        self,
        event: str,
        caller: str,
        visitor: Visitor = NOBODY,
        reason: str = "",
        detail: Mapping[str, JsonValue] = _NOTHING,
        *,
        event_id: str = "",
    ) -> AuditEvent:
        """An event that is yet to be written, by somebody whose transaction it belongs to."""
        return AuditEvent(
            event_id=event_id or self._randomness(_ID_BYTES).hex(),
            at=self._clock.now(),
            event=shortened(event)[:64],
            caller=shortened(caller),
            address=shortened(visitor.address)[:64],
            user_agent=shortened(visitor.user_agent),
            reason=shortened(reason),
            detail=dict(detail),
        )

    def tell(self, event: AuditEvent) -> None:
        """Write an event to the log of the gateway."""
        _logger().info(
            "audit",
            audit_id=event.event_id,
            audit=event.event,
            caller=event.caller,
            address=event.address,
            user_agent=event.user_agent,
            reason=event.reason,
            detail=dict(event.detail),
        )

    async def clear(self) -> int:
        """Erase what is older than its retention; how many lines."""
        return await self._log.clear(self._clock.now() - self._retention_s)


def _logger() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
    return log
