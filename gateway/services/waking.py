"""Waiting for something to happen elsewhere, but not for ever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
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


class Closing:
    """Whether the gateway is about to close: nobody waits on for what it will not see happen."""

    def __init__(self) -> None:
        self.has_begun = False
        self._alarms: set[Alarm] = set()

    def begin(self) -> None:
        """Wake everybody who waits, and whoever comes to wait from now on."""
        self.has_begun = True
        for alarm in self._alarms:
            alarm.ring()

    @contextmanager
    def rings(self, alarm: Alarm) -> Iterator[None]:
        """Let it ring an alarm, too, for the length of the block."""
        self._alarms.add(alarm)
        if self.has_begun:
            alarm.ring()
        try:
            yield
        finally:
            self._alarms.discard(alarm)


@asynccontextmanager
async def alarm_at(
    notices: Notices, topic: str, closing: Closing | None = None
) -> AsyncIterator[Alarm]:
    """An alarm that every notice of a topic rings, and the gateway's closing."""
    alarm = Alarm()
    listening = asyncio.create_task(_listen(notices, topic, alarm))
    try:
        with (closing or Closing()).rings(alarm):
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
