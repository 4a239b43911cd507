"""Notices within this process: all there is for a gateway that is alone."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator


class MemoryNotices:
    """Implements the Notices port."""

    def __init__(self) -> None:
        self._listening: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._watching: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)

    async def publish(self, topic: str) -> None:
        """Wake everyone who listens to this topic."""
        self.wake(topic)

    async def listen(self, topic: str) -> AsyncIterator[None]:
        """Wake-ups of a topic, the first one at once; those that come while nobody looks are one.

        Whoever looks at each wake-up misses nothing that happened before he listened.
        """
        event = asyncio.Event()
        event.set()
        self._listening[topic].add(event)
        try:
            while True:
                await event.wait()
                event.clear()
                yield
        finally:
            self._listening[topic].discard(event)
            if not self._listening[topic]:
                del self._listening[topic]

    async def show(self, topic: str, glimpse: bytes) -> None:
        """Show everyone who watches this topic something that passes by."""
        self.pass_by(topic, glimpse)

    async def glimpses(self, topic: str) -> AsyncIterator[bytes]:
        """What passes by under a topic; who does not look in time sees the latest alone."""
        latest: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._watching[topic].add(latest)
        try:
            while True:
                yield await latest.get()
        finally:
            self._watching[topic].discard(latest)
            if not self._watching[topic]:
                del self._watching[topic]

    def pass_by(self, topic: str, glimpse: bytes) -> None:
        """Show it to whoever watches this topic here, in the place of what nobody has seen yet."""
        for latest in self._watching.get(topic, ()):
            if latest.full():
                latest.get_nowait()
            latest.put_nowait(glimpse)

    def wake(self, topic: str) -> None:
        """Wake whoever listens to this topic here."""
        for event in self._listening.get(topic, ()):
            event.set()

    def wake_all(self) -> None:
        """Wake whoever listens to anything here: nobody knows what was missed."""
        for topic in self._listening:
            self.wake(topic)
