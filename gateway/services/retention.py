"""Erases pictures that have expired, and has the workers forget those that they were shown."""

from collections.abc import Sequence
from typing import Final

import structlog

from gateway.domain.names import Folder, expiry_of, session_of
from gateway.errors.kinds import DatabaseFailed
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.erasing import Eraser
from gateway.ports.storage import ObjectStore
from gateway.services.worker_memory import WorkerMemory, digest_of

_AT_ONCE: Final = 50
_ACCEPTING_S: Final = 900.0
"""Pictures come before the session's row: by far more than the longest time between them."""


class RetentionService:
    """Walks the store and erases every object whose name says that its time is over.

    And every one in the folder of a session that has not been there for a while: a gateway died
    before it had accepted the session, or a runner after it was erased.
    """

    def __init__(
        self,
        store: ObjectStore,
        rows: Eraser,
        clock: Clock,
        metrics: Metrics,
        workers: WorkerMemory,
    ) -> None:
        self._store = store
        self._rows = rows
        self._missing: dict[str, float] = {}
        self._clock = clock
        self._metrics = metrics
        self._workers = workers

    async def sweep(self) -> int:
        """Erase once; the number of objects erased. What is not ours is left alone."""
        erased = 0
        lying = {folder: [key async for key in self._store.keys(folder)] for folder in Folder}
        strays = await self._strays([session_of(key) for keys in lying.values() for key in keys])
        for folder, keys in lying.items():
            expired = [key for key in keys if self._is_over(key) or session_of(key) in strays]
            for first in range(0, len(expired), _AT_ONCE):
                some = expired[first : first + _AT_ONCE]
                if folder is Folder.UPLOADS:
                    await self._forget(some)
                for key in some:
                    await self._store.delete(key)
                self._metrics.erased.labels(folder).inc(len(some))
            erased += len(expired)
        structlog.get_logger(__name__).info("expired objects erased", erased=erased)
        return erased

    async def _strays(self, named: Sequence[str | None]) -> frozenset[str]:
        """Of the sessions whose folders there are, those that have been missing for long."""
        now = self._clock.monotonic()
        try:
            missing = await self._rows.missing({one for one in named if one is not None})
        except DatabaseFailed:
            structlog.get_logger(__name__).warning("strays are looked for the next time")
            return frozenset()
        self._missing = {one: self._missing.get(one, now) for one in missing}
        return frozenset(one for one in missing if now - self._missing[one] >= _ACCEPTING_S)

    async def _forget(self, keys: Sequence[str]) -> None:
        contents = [await self._store.get(key) for key in keys]
        await self._workers.forget({digest_of(one) for one in contents if one is not None})

    def _is_over(self, key: str) -> bool:
        expires_at = expiry_of(key)
        return expires_at is not None and self._clock.now() >= expires_at
