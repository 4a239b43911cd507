"""A TCP proxy on loopback that misbehaves as it is told: slow, deaf, cut off, gone."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

_CHUNK_BYTES = 65_536
# To linger for no time: closing sends a reset in place of a goodbye.
_NO_GOODBYE = struct.pack("ii", 1, 0)


@dataclass
class Faults:
    """What is wrong with the line; every field may change while connections are open.

    latency_s: delay of every chunk, in both directions.
    is_refusing: new connections are reset at once.
    is_blackhole: what is sent is swallowed, in both directions; connections stay open.
    reset_next: so many of the next questions are answered with a reset.
    answer_next: what the next questions are answered with, in place of the server.
    lose_next: so many of the next answers are lost: the server did it, and a reset comes.
    answer_bytes: a connection is reset when so much of the server's answers has passed.
    half_close_bytes: or nothing but an end of stream follows, while questions still pass.
    """

    latency_s: float = 0.0
    is_refusing: bool = False
    is_blackhole: bool = False
    reset_next: int = 0
    answer_next: deque[bytes] = field(default_factory=deque)
    lose_next: int = 0
    answer_bytes: int | None = None
    half_close_bytes: int | None = None


class FaultProxy:
    """Passes connections on to a port of 127.0.0.1; `faults` says how badly."""

    def __init__(self, target_port: int) -> None:
        self.faults = Faults()
        self.port = 0
        self.connections = 0
        self._target_port = target_port
        self._open: set[asyncio.StreamWriter] = set()
        self._came = asyncio.Condition()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Listen until the end of the block, then cut every connection."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.reset_all()
            await server.wait_closed()

    def reset_all(self) -> None:
        """Reset every open connection."""
        for writer in self._open:
            _reset(writer)

    async def has_had(self, connections: int) -> None:
        """Wait for the connection of this number."""
        async with self._came:
            await self._came.wait_for(lambda: self.connections >= connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._came:
            self.connections += 1
            self._came.notify_all()
        both = {writer}
        try:
            if self.faults.is_refusing:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            both.add(far_writer)
            self._open |= both
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(reader, far_writer, writer))
                group.create_task(self._answer(far_reader, writer))
        except (OSError, ExceptionGroup, _Cut):
            pass
        finally:
            self._open -= both
            for one in both:
                _reset(one)

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if self.faults.reset_next > 0:
                self.faults.reset_next -= 1
                raise _Cut
            if self.faults.answer_next:
                client.write(self.faults.answer_next.popleft())
                client.write_eof()
                while await reader.read(_CHUNK_BYTES):
                    """Let the client finish its question, so that it reads the answer."""
                raise _Cut
            await self._pass_on(chunk, far)
        far.write_eof()

    async def _answer(self, far: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        passed, faults = 0, self.faults
        while chunk := await far.read(_CHUNK_BYTES):
            if faults.lose_next > 0:
                faults.lose_next -= 1
                raise _Cut
            for cap in (faults.answer_bytes, faults.half_close_bytes):
                if cap is not None:
                    chunk = chunk[: max(cap - passed, 0)]
            passed += len(chunk)
            await self._pass_on(chunk, client)
            if faults.answer_bytes is not None and passed >= faults.answer_bytes:
                raise _Cut
            if faults.half_close_bytes is not None and passed >= faults.half_close_bytes:
                break
        client.write_eof()

    async def _pass_on(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self.faults.latency_s)
        if not self.faults.is_blackhole:
            writer.write(chunk)
            await writer.drain()


class _Cut(Exception):
    """End both sides of a connection at once."""


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_GOODBYE)
    writer.transport.abort()
