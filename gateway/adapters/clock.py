"""What time it is: the machine's own, or that of a database which several machines share."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from gateway.errors.kinds import GatewayError
from gateway.ports.clock import Clock

_PAUSE_S: Final = 10.0
_QUICK_S: Final = 1.0
_DRIFT: Final = 1e-3
"""How much faster or slower than the source's a measured second may be; a bad quartz is 1e-4."""


class SystemClock:
    """Implements the Clock port."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class SharedClock:
    """The same time for all who ask the same source, whatever is done to their own clocks.

    Between two answers of the source time goes on as `own.monotonic` does: a clock that is put
    right, or wrong, by minutes ends no lease and makes none longer.
    """

    def __init__(self, own: Clock) -> None:
        self._own = own
        self._ahead_s = own.now() - own.monotonic()
        self._wrong_s = math.inf
        self._agreed_s = own.monotonic()

    def now(self) -> float:
        """Unix time in seconds."""
        return self._ahead_s + self._own.monotonic()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._own.monotonic()

    async def agree(self, ask: Callable[[], Awaitable[float]]) -> None:
        """Ask the source for its Unix time.

        An answer is wrong by half the time that it took at most: one that took long is believed
        only where what was known before may be as wrong by now.
        """
        before = self._own.monotonic()
        told = await ask()
        after = self._own.monotonic()
        took_s = after - before
        may_be_wrong_s = self._wrong_s + _DRIFT * (after - self._agreed_s)
        if took_s < _QUICK_S or took_s / 2 < may_be_wrong_s:
            self._ahead_s = told - (before + after) / 2
            self._wrong_s, self._agreed_s = took_s / 2, after

    @asynccontextmanager
    async def agreeing(self, ask: Callable[[], Awaitable[float]]) -> AsyncIterator[None]:
        """Agree now, and again and again until the block ends; raises what `ask` does at first."""
        await self.agree(ask)
        task = asyncio.create_task(self._again(ask))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _again(self, ask: Callable[[], Awaitable[float]]) -> None:
        structlog.contextvars.bind_contextvars(endpoint="clock")
        log = structlog.get_logger(__name__)
        while True:
            try:
                await asyncio.sleep(_PAUSE_S)
                await self.agree(ask)
            except GatewayError:
                log.info("time goes on without its source")
            except Exception:
                log.exception("time goes on without its source")
