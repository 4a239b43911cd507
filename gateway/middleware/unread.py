"""Who is sent something and reads none of it, for how long, before he is hung up on."""

from __future__ import annotations

import asyncio
from typing import ClassVar


class Unread:
    """Watches what waits to be read from `begin` to `end`; asyncio itself would wait for ever."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, longest_s: float
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._longest_s = longest_s
        self._waiting_bytes = 0
        self._look: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """There is more than is read."""
        if self._look is None:
            self._again(self._transport.get_write_buffer_size())

    def end(self) -> None:
        """It was read, or nobody is there any more."""
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _again(self, waiting_bytes: int) -> None:
        self._waiting_bytes = waiting_bytes
        self._look = self._loop.call_later(self._longest_s, self._hang_up_or_wait)

    def _hang_up_or_wait(self) -> None:
        waiting_bytes = self._transport.get_write_buffer_size()
        if waiting_bytes < self._waiting_bytes:
            self._again(waiting_bytes)
        else:
            self._transport.abort()


class MustRead(asyncio.Protocol):
    """Stands before one of uvicorn's protocols: its client reads within `longest_unread_s`.

    The protocol behind it says by `pause_writing` that there is more than is read.
    """

    longest_unread_s: ClassVar[float]
    loop: asyncio.AbstractEventLoop
    _unread: Unread

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch what is sent from here on."""
        super().connection_made(transport)
        self._unread = Unread(self.loop, transport, self.longest_unread_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more who could read."""
        self._unread.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More was sent than is read."""
        super().pause_writing()
        self._unread.begin()

    def resume_writing(self) -> None:
        """It was read."""
        self._unread.end()
        super().resume_writing()
