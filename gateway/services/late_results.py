"""Pictures that runners store when their session is erased already: looked for once more."""

from collections import deque
from typing import Final

import structlog

from gateway.domain.names import Folder
from gateway.errors.kinds import GatewayError, StorageFailed
from gateway.ports.clock import Clock
from gateway.ports.storage import ObjectStore
from gateway.services.removal import remove

LATE_S: Final = 60.0
"""A runner hears within seconds that its session is over; what it is storing then is stored."""


class LateResults:
    """Sessions that ended as they were erased, until nothing more can come of their runners.

    A runner that lives erases what is nobody's; this is for one that dies before.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting = deque[tuple[float, str]]()

    def note(self, session_id: str) -> None:
        """Look after a while what has come late of a session that is erased now."""
        self._waiting.append((self._clock.monotonic() + LATE_S, session_id))

    async def erase(self) -> None:
        """Erase what has come late; what fails is tried again."""
        now, log = self._clock.monotonic(), structlog.get_logger(__name__)
        while self._waiting and self._waiting[0][0] <= now:
            _, session_id = self._waiting.popleft()
            try:
                await self._erase(session_id)
            except GatewayError as error:
                log.warning("what came late is yet to be erased", error_code=error.code)
                self.note(session_id)

    async def _erase(self, session_id: str) -> None:
        for folder in Folder:
            keys = [key async for key in self._store.keys(f"{folder}/{session_id}")]
            if await remove(self._store, keys):
                raise StorageFailed
