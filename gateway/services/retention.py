"""Erases pictures that have expired, and has the workers forget those that they were shown."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

import structlog

from gateway.domain.names import Folder, expiry_of, session_of
from gateway.errors.kinds import StorageFailed
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.erasing import Eraser
from gateway.ports.storage import ObjectStore
from gateway.services.removal import remove
from gateway.services.strays import Strays
from gateway.services.worker_memory import WorkerMemory, digests_in

_PAGE: Final = 500


class RetentionService:
    """Walks the store and erases every object whose name says that its time is over.

    And every one in the folder of a session that has not been there for a while: a gateway died
    before it had accepted the session, or a runner after it was erased. However much there is, no
    more than a page of it is held at a time.
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
        self._strays = Strays(rows, clock)
        self._clock = clock
        self._metrics = metrics
        self._workers = workers

    async def sweep(self) -> int:
        """Erase once; the number of objects erased. What is not ours is left alone."""
        erased, due = 0, 0
        with self._strays.walk():
            for folder in Folder:
                async for page in self._pages(folder):
                    over = await self._over(page)
                    due += len(over)
                    erased += await self._erase(folder, over)
        log = structlog.get_logger(__name__)
        if erased < due:
            log.warning("expired objects are yet to be erased", failed=due - erased)
        log.info("expired objects erased", erased=erased)
        return erased

    async def _pages(self, folder: Folder) -> AsyncIterator[Sequence[str]]:
        page: list[str] = []
        async for key in self._store.keys(folder):
            page.append(key)
            if len(page) == _PAGE:
                yield page
                page = []
        yield page

    async def _over(self, keys: Sequence[str]) -> Sequence[str]:
        """Of these keys, those of what is to be erased."""
        named = {one for key in keys if (one := session_of(key)) is not None}
        strays = await self._strays.among(named)
        return [key for key in keys if self._is_over(key) or session_of(key) in strays]

    async def _erase(self, folder: Folder, keys: Sequence[str]) -> int:
        known = await self._forgotten(keys) if folder is Folder.UPLOADS else keys
        erased = len(known) - await remove(self._store, known)
        self._metrics.erased.labels(folder).inc(erased)
        return erased

    async def _forgotten(self, keys: Sequence[str]) -> Sequence[str]:
        """Of these photos, those that could be read, so that the workers could be told of them."""
        digests, told = set[str](), list[str]()
        for key in keys:
            with suppress(StorageFailed):
                digests |= await digests_in(self._store, [key])
                told.append(key)
        await self._workers.forget(digests)
        return told

    def _is_over(self, key: str) -> bool:
        expires_at = expiry_of(key)
        return expires_at is not None and self._clock.now() >= expires_at
