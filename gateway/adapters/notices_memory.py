"""Notices within this process: all there is for a gateway that is alone."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator


class MemoryNotices:
    """Implements the Notices port."""

    def __init__(self) -> None:
        self._listening: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

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

    def wake(self, topic: str) -> None:
        """Wake whoever listens to this topic here."""
        for event in self._listening.get(topic, ()):
            event.set()

    def wake_all(self) -> None:
        """Wake whoever listens to anything here: nobody knows what was missed."""
        for topic in self._listening:
            self.wake(topic)
