"""Erasing: what is over or was deleted goes from the store, the workers, this gateway, the rows.

Nothing of it undoes itself: a session that is forgotten or over is hidden first, its pictures are
read once more to tell the workers which they were, then erased, and its rows go last. Whoever dies
in between leaves rows, by which the next run goes on. What is due is erased a few sessions side by
side, and workers are told of all of them at once: one that hangs is waited for once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import SystemRandom
from typing import Final, TypeVar

import structlog
from pydantic import JsonValue

from gateway.domain import sessions_topics as topics
from gateway.domain.audit import AuditEvent
from gateway.domain.names import Folder
from gateway.domain.receipts import Erased, ReceiptKey
from gateway.domain.sessions import Session
from gateway.errors.kinds import GatewayError, NotFound, StorageFailed
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.erasing import AuditLog, Eraser
from gateway.ports.sessions import Notices, SessionBook
from gateway.ports.storage import ObjectStore
from gateway.services.audit import NOBODY, AuditService, Visitor
from gateway.services.late_results import LATE_S, LateResults
from gateway.services.removal import remove
from gateway.services.results import ResultService
from gateway.services.worker_memory import Told, WorkerMemory, digests_in

_DICE: Final = SystemRandom()

EVENT: Final = "session.erased"
ASKED: Final = "asked"
EXPIRED: Final = "expired"
_AT_ONCE: Final = 100
_SIDE_BY_SIDE: Final = 4

T = TypeVar("T")
R = TypeVar("R")


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


@dataclass(frozen=True, slots=True)
class _Found:
    """A session with the keys of all its pictures, and its photos' names towards the workers."""

    session: Session
    keys: frozenset[str]
    photos: frozenset[str]
    digests: frozenset[str]


class SessionEraser:
    """Erases sessions, and hands out the receipts."""

    def __init__(self, ground: ErasingGround) -> None:
        self._on = ground
        self._late = LateResults(ground.store, ground.clock)
        self._may_leave_traces = True

    async def erase(self, session: Session, visitor: Visitor = NOBODY) -> Mapping[str, JsonValue]:
        """Erase a session that is hidden already, and give the receipt; raises what stores do."""
        found = await self._find(session)
        told = await self._on.workers.forget(found.digests)
        return await self._erase(found, told, visitor)

    async def _erase(
        self, found: _Found, told: Told, visitor: Visitor = NOBODY
    ) -> Mapping[str, JsonValue]:
        """Erase what was found, the workers being told; its rows only when nothing else is left."""
        on, session = self._on, found.session
        reason = ASKED if session.is_forgotten else EXPIRED
        if await remove(on.store, sorted(found.keys)):
            raise StorageFailed
        remembered = on.results.forget(session.result_names)
        pictures = {"photos": len(found.photos), "results": len(found.keys - found.photos)}
        if told.entries is not None:
            pictures["cache_entries"] = told.entries + remembered

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
        while due := list(await self._on.book.to_erase(_AT_ONCE, last)):
            last = due[-1].session_id
            _DICE.shuffle(due)  # several gateways do not wait for each other
            went = await self._erase_together(due)
            erased, failed = erased + went, failed + len(due) - went
        await self._late.erase()
        await self._leave_no_trace()
        count, oldest_s = await self._on.rows.overdue()
        self._on.metrics.erasing_overdue.set(count)
        self._on.metrics.erasing_oldest_s.set(oldest_s)
        if erased or failed:
            log = structlog.get_logger(__name__)
            log.info("sessions erased", erased=erased, failed=failed, oldest_s=oldest_s)
        return erased

    async def _erase_together(self, due: Sequence[Session]) -> int:
        """Erase sessions, the workers told of all at once; how many went.

        What workers dropped is then no single session's, and stands in no receipt.
        """
        found = await _of_each(self._find, due)
        told = await self._on.workers.forget(frozenset().union(*(one.digests for one in found)))
        if len(found) > 1:
            told = replace(told, entries=None)
        return len(await _of_each(partial(self._erase, told=told), found))

    async def _leave_no_trace(self) -> None:
        """Clear the database's log of what was erased since; if it is in use, in the next run."""
        if self._may_leave_traces:
            self._may_leave_traces = False  # what is erased meanwhile is told anew
            if not await self._on.rows.leave_no_trace():
                self._may_leave_traces = True

    async def _find(self, session: Session) -> _Found:
        """What its rows name, and what else lies in its folders: left by a runner that died."""
        store, keys = self._on.store, set(session.object_keys)
        for folder in Folder:
            keys |= {key async for key in store.keys(f"{folder}/{session.session_id}")}
        photos = frozenset(key for key in keys if key.startswith(Folder.UPLOADS))
        return _Found(session, frozenset(keys), photos, await digests_in(store, sorted(photos)))


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
                except Exception as error:  # noqa: BLE001 - every kind goes by itself
                    _warn("erasing is yet to be done", error, kind=kind)
                else:
                    self.totals[kind] += erased[kind]
        self._on.metrics.erasing_runs.inc()
        structlog.get_logger(__name__).info("erasing run", **erased)
        return erased


async def _of_each(work: Callable[[T], Awaitable[R]], them: Sequence[T]) -> Sequence[R]:
    """What comes of those that do not fail, a few side by side; the others wait for the next."""
    room = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def done(one: T) -> Sequence[R]:
        async with room:
            try:
                return (await work(one),)
            except Exception as error:  # noqa: BLE001 - nobody waits for what another one breaks
                _warn("a session is yet to be erased", error)
                return ()

    return [came for some in await asyncio.gather(*map(done, them)) for came in some]


def _warn(event: str, error: Exception, **told: str) -> None:
    """Log what failed; where it came from, too, if it is no failure that we know."""
    log = structlog.get_logger(__name__).bind(**told)
    if isinstance(error, GatewayError):
        log.warning(event, error_code=error.code)
    else:
        log.warning(event, exc_info=error)


def _receipt(line: AuditEvent) -> Mapping[str, JsonValue]:
    receipt = line.detail["receipt"]
    if not isinstance(receipt, dict):
        raise NotFound
    return receipt
