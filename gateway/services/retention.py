"""Erases what has expired."""

import structlog

from gateway.domain.names import Folder, expiry_of
from gateway.metrics import Metrics
from gateway.ports import Clock, ObjectStore


class RetentionService:
    """Walks the store and erases every object whose name says that its time is over."""

    def __init__(self, store: ObjectStore, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics

    async def sweep(self) -> int:
        """Erase once; the number of objects erased. What is not ours is left alone."""
        erased = 0
        for folder in Folder:
            expired = [key async for key in self._store.keys(folder) if self._is_over(key)]
            for key in expired:
                await self._store.delete(key)
            self._metrics.erased.labels(folder).inc(len(expired))
            erased += len(expired)
        structlog.get_logger(__name__).info("expired objects erased", erased=erased)
        return erased

    def _is_over(self, key: str) -> bool:
        expires_at = expiry_of(key)
        return expires_at is not None and self._clock.now() >= expires_at
