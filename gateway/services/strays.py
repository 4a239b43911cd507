"""Sessions that left a folder and no row: judged by for how long, whatever their number."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from gateway.errors.kinds import DatabaseFailed
from gateway.ports.clock import Clock
from gateway.ports.erasing import Eraser

_ACCEPTING_S: Final = 900.0
"""Pictures come before the session's row: by far more than the longest time between them."""
_MOST: Final = 100_000


class Strays:
    """Since when sessions have been missing, at most `most` of them: others wait for room."""

    def __init__(self, rows: Eraser, clock: Clock, most: int = _MOST) -> None:
        self._rows = rows
        self._clock = clock
        self._most = most
        self._since: dict[str, float] = {}
        self._found: set[str] = set()
        self._is_blind = False

    @contextmanager
    def walk(self) -> Iterator[None]:
        """A walk through the whole store: what it does not find missing is forgotten after it."""
        self._found.clear()
        self._is_blind = False
        yield
        if not self._is_blind:
            self._since = {one: self._since[one] for one in self._found}

    async def among(self, sessions: Collection[str]) -> frozenset[str]:
        """Of sessions whose folders there are, those that were erased or are missing for long.

        None for the rest of a walk in which the database was away.
        """
        if self._is_blind or not sessions:
            return frozenset()
        try:
            missing = await self._rows.missing(sessions)
            erased = await self._rows.erased(missing)
        except DatabaseFailed:
            structlog.get_logger(__name__).warning("strays are looked for the next time")
            self._is_blind = True
            return frozenset()
        now = self._clock.monotonic()
        new = missing - erased
        return erased | {one for one in new if now - self._noted(one, now) >= _ACCEPTING_S}

    def _noted(self, session: str, now: float) -> float:
        """Since when a session has been missing, as far as there was room to remember it."""
        if session not in self._since:
            if len(self._since) >= self._most:
                return now
            self._since[session] = now
        self._found.add(session)
        return self._since[session]
