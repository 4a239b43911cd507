"""Waiting for something to happen elsewhere, but not for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from gateway.ports.sessions import Notices

_PAUSE_S: Final = 1.0


class Alarm:
    """Rings for whoever waits; rung while nobody waits, it rings for the next."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._event.set()

    async def wait(self, longest_s: float) -> None:
        """Wait for it to ring, or for so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._event.wait()
        self._event.clear()


@asynccontextmanager
async def alarm_at(notices: Notices, topic: str) -> AsyncIterator[Alarm]:
    """An alarm that every notice of a topic rings."""
    alarm = Alarm()
    listening = asyncio.create_task(_listen(notices, topic, alarm))
    try:
        yield alarm
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _listen(notices: Notices, topic: str, alarm: Alarm) -> None:
    while True:
        try:
            async for _ in notices.listen(topic):
                alarm.ring()
        except Exception:  # noqa: BLE001 - who cannot listen still looks now and then
            structlog.get_logger(__name__).warning("cannot listen", topic=topic, exc_info=True)
        await asyncio.sleep(_PAUSE_S)
