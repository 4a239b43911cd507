"""Puts erasing and the audit together; what they stand on is chosen in `resources`."""

import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.assembly.background import Loop, every
from gateway.assembly.sessions import SessionGround
from gateway.domain import sessions_topics as topics
from gateway.domain.receipts import ReceiptKey
from gateway.ports.erasing import AuditLog, Eraser, Workers
from gateway.services.audit import AuditService
from gateway.services.erasing import ErasingGround, ErasingService, SessionEraser
from gateway.services.retention import RetentionService
from gateway.services.waking import alarm_at
from gateway.services.worker_memory import WorkerMemory

_TIDY_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class ErasingRules:
    """The secret that receipts are signed by, pauses and ages in seconds."""

    secret: bytes
    audit_s: float
    interval_s: float
    sessions_s: float
    messages_s: float


@dataclass(frozen=True, slots=True)
class Outside:
    """What erasing reaches beyond the sessions' own ground."""

    rows: Eraser
    lines: AuditLog
    workers: Workers
    models: Iterable[str]


@dataclass(frozen=True, slots=True)
class Erasing:
    """Everything that erases, and the audit that tells of it."""

    audit: AuditService
    sessions: SessionEraser
    retention: RetentionService
    job: ErasingService
    key: ReceiptKey
    memory: WorkerMemory
    ground: SessionGround
    rules: ErasingRules

    def work(self) -> Iterable[Loop]:
        """What goes on beside the requests."""
        rules = self.rules
        yield every("retention", rules.interval_s, self.job.run)
        yield every("erasing", rules.sessions_s, self.sessions.erase_due)
        yield every("worker_memory", rules.sessions_s, self.memory.retry)
        yield Loop("results", self._tidy)

    async def _tidy(self) -> None:
        """Remember no result that another gateway has erased."""
        async with alarm_at(self.ground.notices, topics.FORGOTTEN) as alarm:

            async def tidied() -> None:
                await alarm.wait(self.rules.interval_s)
                await self.ground.results.tidy()

            await every("results", _TIDY_S, tidied).run()


def erasing(on: SessionGround, outside: Outside, rules: ErasingRules) -> Erasing:
    """What erases sessions, uploads, results, audit lines, and what is remembered of them."""
    audit = AuditService(outside.lines, on.clock, secrets.token_bytes, rules.audit_s)
    key = ReceiptKey(rules.secret)
    memory = WorkerMemory(outside.workers, outside.models)
    ground = ErasingGround(
        book=on.book,
        rows=outside.rows,
        store=on.store,
        results=on.results,
        workers=memory,
        notices=on.notices,
        audit=audit,
        lines=outside.lines,
        key=key,
        clock=on.clock,
        metrics=on.metrics,
    )
    sessions = SessionEraser(ground)
    retention = RetentionService(on.store, outside.rows, on.clock, on.metrics, memory)
    works: dict[str, Callable[[], Awaitable[int]]] = {
        "sessions": sessions.erase_due,
        "objects": retention.sweep,
        "unfinished": on.store.clear_unfinished,
        "remembered": on.results.tidy,
        "repeat_keys": outside.rows.clear_keys,
        "webhook_messages": partial(outside.rows.clear_messages, rules.messages_s),
        "audit_lines": audit.clear,
    }
    job = ErasingService(ground, works)
    return Erasing(audit, sessions, retention, job, key, memory, on, rules)
