"""Erasing: what is over or was deleted goes from the store, the workers, this gateway, the rows.

Nothing of it undoes itself: a session that is forgotten or over is hidden first, its pictures are
read once more to tell the workers which they were, then erased, and its rows go last. Whoever dies
in between leaves rows, by which the next run goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

import structlog
from pydantic import JsonValue

from gateway.domain import sessions_topics as topics
from gateway.domain.audit import AuditEvent
from gateway.domain.names import Folder
from gateway.domain.receipts import Erased, ReceiptKey
from gateway.domain.sessions import Session
from gateway.errors.kinds import GatewayError, NotFound
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.erasing import AuditLog, Eraser
from gateway.ports.sessions import Notices, SessionBook
from gateway.ports.storage import ObjectStore
from gateway.services.audit import NOBODY, AuditService, Visitor
from gateway.services.late_results import LATE_S, LateResults
from gateway.services.results import ResultService
from gateway.services.worker_memory import WorkerMemory, digests_in

_DICE: Final = SystemRandom()

EVENT: Final = "session.erased"
ASKED: Final = "asked"
EXPIRED: Final = "expired"
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class ErasingGround:
    """What erasing stands on."""

    book: SessionBook
    rows: Eraser
    store: ObjectStore
    results: ResultService
    workers: WorkerMemory
    notices: Notices
    audit: AuditService
    lines: AuditLog
    key: ReceiptKey
    clock: Clock
    metrics: Metrics


class SessionEraser:
    """Erases sessions, and hands out the receipts."""

    def __init__(self, ground: ErasingGround) -> None:
        self._on = ground
        self._late = LateResults(ground.store, ground.clock)
        self._may_leave_traces = True

    async def erase(
        self, session: Session, reason: str, visitor: Visitor = NOBODY
    ) -> Mapping[str, JsonValue]:
        """Erase a session that is hidden already, and give the receipt; raises what stores do."""
        on = self._on
        keys = await self._keys(session)
        asked = sorted(key for key in keys if key.startswith(Folder.UPLOADS))
        told = await on.workers.forget(await digests_in(on.store, asked))
        for key in sorted(keys):
            await on.store.delete(key)
        made = len(keys) - len(asked)
        pictures = {"photos": len(asked), "results": made, "cache_entries": told.entries}
        pictures["cache_entries"] += on.results.forget(session.result_names)

        def line_of(rows: Mapping[str, int]) -> AuditEvent:
            counts = {**pictures, **rows}
            erased = Erased(session.session_id, on.clock.now(), reason, counts, told.workers)
            detail = {"receipt": on.key.receipt(erased)}
            return on.audit.made(
                EVENT, session.owner, visitor, reason, detail, event_id=session.session_id
            )

        line = await on.rows.finish(session.session_id, line_of)
        self._may_leave_traces = True
        await self._tell(session)
        if line is None:
            return await self.receipt(session.session_id, session.owner)
        if session.ended_at is None or session.ended_at > on.clock.now() - LATE_S:
            self._late.note(session.session_id)
        on.audit.tell(line)
        on.metrics.sessions_erased.labels(reason).inc()
        return _receipt(line)

    async def _tell(self, session: Session) -> None:
        """Wake those who have something of it; its runner and its watchers, where it went on."""
        woken = [topics.FORGOTTEN]
        if not session.has_ended:
            woken += [topics.LEASES, topics.OUTBOX, topics.of_session(session.session_id)]
        for topic in woken:
            await self._on.notices.publish(topic)

    async def receipt(self, session_id: str, owner: str) -> Mapping[str, JsonValue]:
        """The receipt of an owner's session that is erased; raises NotFound."""
        line = await self._on.lines.find(session_id, EVENT, owner)
        if line is None:
            raise NotFound
        return _receipt(line)

    async def erase_due(self) -> int:
        """Erase what is forgotten or over; how many sessions. One that fails waits for the next."""
        erased, failed, last = 0, 0, ""
        now = self._on.clock.now()
        while due := list(await self._on.book.to_erase(_AT_ONCE, last)):
            last = due[-1].session_id
            _DICE.shuffle(due)  # several gateways do not wait for each other
            for session in due:
                try:
                    await self.erase(session, EXPIRED if session.expires_at <= now else ASKED)
                except GatewayError as error:
                    failed += 1
                    log = structlog.get_logger(__name__)
                    log.warning("a session is yet to be erased", error_code=error.code)
                else:
                    erased += 1
        await self._late.erase()
        await self._leave_no_trace()
        count, oldest_s = await self._on.rows.overdue()
        self._on.metrics.erasing_overdue.set(count)
        self._on.metrics.erasing_oldest_s.set(oldest_s)
        if erased or failed:
            log = structlog.get_logger(__name__)
            log.info("sessions erased", erased=erased, failed=failed, oldest_s=oldest_s)
        return erased

    async def _leave_no_trace(self) -> None:
        """Clear the database's log of what was erased since; if it is in use, in the next run."""
        if self._may_leave_traces:
            self._may_leave_traces = False  # what is erased meanwhile is told anew
            if not await self._on.rows.leave_no_trace():
                self._may_leave_traces = True

    async def _keys(self, session: Session) -> set[str]:
        """What its rows name, and what else lies in its folders: left by a runner that died."""
        keys = set(session.object_keys)
        for folder in Folder:
            keys |= {key async for key in self._on.store.keys(f"{folder}/{session.session_id}")}
        return keys


class ErasingService:
    """One run of everything that is to be erased; `totals` counts what all runs have erased."""

    def __init__(
        self, ground: ErasingGround, works: Mapping[str, Callable[[], Awaitable[int]]]
    ) -> None:
        self._on = ground
        self._works = works
        self._lock = asyncio.Lock()
        self.totals = dict.fromkeys(works, 0)

    async def run(self) -> Mapping[str, int]:
        """Erase what is over, each kind whatever becomes of the others; how many of each."""
        erased: dict[str, int] = {}
        async with self._lock:
            for kind, work in self._works.items():
                try:
                    erased[kind] = await work()
                except GatewayError as error:
                    log = structlog.get_logger(__name__)
                    log.warning("erasing is yet to be done", kind=kind, error_code=error.code)
                else:
                    self.totals[kind] += erased[kind]
        self._on.metrics.erasing_runs.inc()
        structlog.get_logger(__name__).info("erasing run", **erased)
        return erased


def _receipt(line: AuditEvent) -> Mapping[str, JsonValue]:
    receipt = line.detail["receipt"]
    if not isinstance(receipt, dict):
        raise NotFound
    return receipt
