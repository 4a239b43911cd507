"""Who was not let in: each in the log, and in the database so that no flood of them fills it.

There, one row stands for all refusals of an address for one reason within a minute, with the first
one's user agent, and their number from when the minute is over.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.domain.limits import home_of
from gateway.services.audit import NOBODY, AuditService, Visitor

if TYPE_CHECKING:
    from gateway.domain.audit import AuditEvent
    from gateway.ports.clock import Clock

MINUTE_S: Final = 60.0
_EVENT: Final = "authentication.refused"
_OTHERS: Final = ("", "")


@dataclass(slots=True)
class _Row:
    """A row of the database, until its minute is over."""

    event_id: str
    ends_at: float
    count: int = 1


class Refusals:
    """Writes refusals down, at most `most` rows a minute; one more stands for all the others."""

    def __init__(self, audit: AuditService, clock: Clock, most: int) -> None:
        self._audit = audit
        self._clock = clock
        self._most = most
        self._open: OrderedDict[tuple[str, str], _Row] = OrderedDict()
        self._over: list[_Row] = []

    async def note(self, caller: str, visitor: Visitor, reason: str) -> None:
        """Write down that somebody was not let in; never raises."""
        self._end_minutes(self._clock.monotonic())
        which = self._which(visitor, reason)
        row = self._open.get(which)
        if row is not None:
            row.count += 1
        told = self._audit.made(
            _EVENT, caller, visitor, reason, event_id="" if row is None else row.event_id
        )
        self._audit.tell(told)
        if row is None:
            ends_at = self._clock.monotonic() + MINUTE_S
            self._open[which] = _Row(told.event_id, ends_at)
            shown = told if which != _OTHERS else self._others(told.event_id)
            await self._audit.keep(shown)

    async def settle(self) -> None:
        """Write down how many the rows stand for whose minute is over."""
        self._end_minutes(self._clock.monotonic())
        over, self._over = self._over, []
        for row in over:
            if row.count > 1:
                await self._audit.amend(row.event_id, {"count": row.count})

    async def close(self) -> None:
        """Write down what there is, at the end of the gateway."""
        self._over += self._open.values()
        self._open.clear()
        await self.settle()

    def _which(self, visitor: Visitor, reason: str) -> tuple[str, str]:
        which = (home_of(visitor.address), reason)
        return which if which in self._open or len(self._open) < self._most else _OTHERS

    def _others(self, event_id: str) -> AuditEvent:
        return self._audit.made(_EVENT, "", NOBODY, "others of this minute", event_id=event_id)

    def _end_minutes(self, now: float) -> None:
        while self._open and next(iter(self._open.values())).ends_at <= now:
            self._over.append(self._open.popitem(last=False)[1])
