"""Notices between processes, by way of a server that all of them reach.

What is told reaches this process at once and the others through the server. Each message comes back
to its sender, and only that counts as sent: a line that is silently dead is noticed, too. While the
server is away, what is to be told waits. After every new connection all listeners are woken, since
nobody knows what was missed.
"""

import asyncio
import binascii
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from random import SystemRandom
from secrets import token_hex
from typing import Final, Self

import structlog

from gateway.adapters.notices_memory import MemoryNotices

_DICE: Final = SystemRandom()
_EVERYTHING: Final = "*"
_MOST_AT_ONCE: Final = 64  # Postgres takes no message of 8000 bytes or more
_MOST_WAITING: Final = 10_000
_GLIMPSE: Final = "!"
_MOST_GLIMPSES: Final = 256
_MOST_GLIMPSE_BYTES: Final = 5_800
_CANCEL_AGAIN_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Waits:
    """Times of a line: between two signs of life, for one to come back, between two attempts."""

    beat_s: float = 5.0
    echo_s: float = 5.0
    retry_first_s: float = 0.1
    retry_longest_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Line:
    """An open connection; `is_open` may say early that it is not, `send` raises then."""

    send: Callable[[str], Awaitable[object]]
    is_open: Callable[[], bool]


Heard = Callable[[str | None], None]
"""Called with each message, and with None when the connection has ended."""

Dial = Callable[[Heard], AbstractAsyncContextManager[Line]]
"""Connects, and hears messages from then on; raises whatever its client raises."""


class RemoteNotices:
    """Implements the Notices port while it is `running`."""

    def __init__(self, dial: Dial, waits: Waits = Waits()) -> None:
        self._dial = dial
        self._waits = waits
        self._here = MemoryNotices()
        self._me = token_hex(8)
        self._waiting: set[str] = set()
        self._glimpses: dict[str, bytes] = {}
        self._stirred = asyncio.Event()
        self._echoed = asyncio.Event()
        self._pause_s = waits.retry_first_s
        self._connected = asyncio.Event()

    async def connected(self) -> None:
        """Wait until there is a line that is known to work."""
        await self._connected.wait()

    async def publish(self, topic: str) -> None:
        """Wake everyone who listens to this topic, here at once, elsewhere soon; never raises."""
        self._here.wake(topic)
        self._waiting.add(topic)
        if len(self._waiting) > _MOST_WAITING:
            self._waiting = {_EVERYTHING}
        self._stirred.set()

    def listen(self, topic: str) -> AsyncIterator[None]:
        """Wake-ups of a topic, the first one at once, and one after every reconnect."""
        return self._here.listen(topic)

    async def show(self, topic: str, glimpse: bytes) -> None:
        """Show it to everyone who watches this topic; what cannot pass at once is left out."""
        self._here.pass_by(topic, glimpse)
        has_room = len(self._glimpses) < _MOST_GLIMPSES and len(glimpse) <= _MOST_GLIMPSE_BYTES
        if has_room and self._connected.is_set():
            self._glimpses[topic] = glimpse
            self._stirred.set()

    def glimpses(self, topic: str) -> AsyncIterator[bytes]:
        """What passes by under a topic; who does not look in time sees the latest alone."""
        return self._here.glimpses(topic)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Keep connected until the end of the block."""
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            await end(task)

    async def _run(self) -> None:
        structlog.contextvars.bind_contextvars(endpoint="notices")
        log = structlog.get_logger(__name__)
        while True:
            try:
                async with self._dial(self._hear) as line:
                    await self._serve(line)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next line may be good
                if _is_cancelled():  # a line that fails while it is closed hides why it is
                    return
                is_known = isinstance(error, OSError)
                told = {"reason": type(error).__name__, "exc_info": None if is_known else error}
                log.warning("notices are interrupted", **told)
            await asyncio.sleep(self._pause_s * _DICE.uniform(0.5, 1.0))
            self._pause_s = min(2 * self._pause_s, self._waits.retry_longest_s)

    async def _serve(self, line: Line) -> None:
        await self._tell(line, ())
        self._pause_s = self._waits.retry_first_s
        self._connected.set()
        self._here.wake_all()
        try:
            while line.is_open():
                await self._empty(line)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._waits.beat_s):
                        await self._stirred.wait()
                self._stirred.clear()
        finally:
            self._connected.clear()
            self._glimpses.clear()

    async def _empty(self, line: Line) -> None:
        """Tell what waits, or give a sign of life; what was not told waits on."""
        while line.is_open():
            topics = sorted(self._waiting)[:_MOST_AT_ONCE]
            self._waiting.difference_update(topics)
            try:
                await self._tell(line, topics)
            except BaseException:
                self._waiting.update(topics)
                raise
            for topic in list(self._glimpses):
                seen = b64encode(self._glimpses.pop(topic)).decode()
                await self._tell(line, (f"{_GLIMPSE}{topic}", seen))
            if not self._waiting:
                return

    async def _tell(self, line: Line, topics: Sequence[str]) -> None:
        """Send, and wait until it has come back."""
        self._echoed.clear()
        async with asyncio.timeout(self._waits.echo_s):
            await line.send(" ".join((self._me, *topics)))
            await self._echoed.wait()

    def _hear(self, message: str | None) -> None:
        if message is None:
            self._stirred.set()
            return
        sender, *topics = message.split(" ")
        if sender == self._me:
            self._echoed.set()
            return
        if topics and topics[0].startswith(_GLIMPSE):
            self._see(topics[0].removeprefix(_GLIMPSE), "".join(topics[1:]))
            return
        for topic in topics:
            if topic == _EVERYTHING:
                self._here.wake_all()
            self._here.wake(topic)

    def _see(self, topic: str, glimpse: str) -> None:
        with suppress(binascii.Error):  # whoever else is on the line
            self._here.pass_by(topic, b64decode(glimpse, validate=True))


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: `asyncio.wait_for` of Python 3.11 may swallow the order."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
