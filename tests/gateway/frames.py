"""A client of WebSockets that writes its frames byte by byte, and keeps to no rule."""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from tests.gateway.running import HANGS_S

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FINAL: Final = 0x80
_MASKED: Final = 0x80


@dataclass(frozen=True)
class Heard:
    """A frame of the server."""

    opcode: int
    content: bytes

    @property
    def code(self) -> int:
        """The code of a close frame."""
        assert self.opcode == CLOSE
        return int(struct.unpack_from("!H", self.content)[0])


def frame(
    content: bytes = b"",
    opcode: int = TEXT,
    *,
    is_final: bool = True,
    is_masked: bool = True,
    reserved: int = 0,
    claimed: int | None = None,
) -> bytes:
    """One frame of a client (RFC 6455, 5.2), whose length may be a lie."""
    length = len(content) if claimed is None else claimed
    head = bytes([_FINAL * is_final | reserved << 4 | opcode])
    mask = _MASKED * is_masked
    if length < 126:
        head += bytes([mask | length])
    elif length < 1 << 16:
        head += bytes([mask | 126]) + struct.pack("!H", length)
    else:
        head += bytes([mask | 127]) + struct.pack("!Q", length)
    if not is_masked:
        return head + content
    return head + b"\1\2\3\4" + bytes(one ^ (1, 2, 3, 4)[i % 4] for i, one in enumerate(content))


MIB: Final = 1 << 20
PING_US: Final = b'{"type": "ping"}'
NONSENSE: Final = {
    "a frame of 17 MB": (1009, frame(claimed=17 * MIB, content=b"x" * 1000)),
    "a frame of 2^63 bytes": (1009, frame(claimed=1 << 63)),
    "a frame of 2^62 bytes": (1009, frame(claimed=1 << 62)),
    "one byte too many": (1009, frame(b" " * 4097)),
    "fragments beyond the limit": (
        1009,
        frame(b"x" * 4000, is_final=False) + frame(b"x" * 4000, CONTINUED),
    ),
    "empty fragments without end": (
        1009,
        frame(is_final=False) + frame(opcode=CONTINUED, is_final=False) * 1000,
    ),
    "half a character": (1007, frame("é".encode()[:1])),
    "bytes that are no text": (1007, frame(b"\xff\xfe\xc0\xaf")),
    "half a surrogate": (1007, frame(b"\xed\xa0\x80")),
    "half a character in fragments": (
        1007,
        frame(b"{", is_final=False) + frame(b"\xc3", CONTINUED),
    ),
    "bytes where text is expected": (1003, frame(PING_US, BINARY)),
    "nothing": (1003, frame()),
    "deep lists": (1003, frame(b"[" * 4000)),
    "deep objects": (1003, frame(b'{"a":' * 600 + b"1" + b"}" * 600)),
    "one key twice": (1003, frame(b'{"type": "ping", "type": "ping"}')),
    "a number beyond numbers": (1003, frame(b'{"type": 1e999}')),
    "digits": (1003, frame(b"9" * 4000)),
    "an unknown command": (1003, frame(b'{"type": "dance"}')),
    "a command that is none": (1003, frame(b'{"type": {"ping": []}}')),
    "no command": (1003, frame(b"{}")),
    "no mask": (1002, frame(PING_US, is_masked=False)),
    "a reserved opcode": (1002, frame(opcode=0x3)),
    "a reserved control opcode": (1002, frame(opcode=0xB)),
    "a reserved bit": (1002, frame(PING_US, reserved=0b100)),
    "a continuation of nothing": (1002, frame(opcode=CONTINUED)),
    "a text within a text": (1002, frame(is_final=False) + frame()),
    "a ping in fragments": (1002, frame(opcode=PING, is_final=False)),
    "a long ping": (1002, frame(b"x" * 126, PING)),
    "a close of one byte": (1002, frame(b"\x03", CLOSE)),
    "a close of no code": (1002, frame(b"\x00\x05", CLOSE)),
    "a close that is no text": (1007, frame(b"\x03\xe8\xff", CLOSE)),
    "a close in the middle": (1002, frame(is_final=False) + frame(b"\x03\xe8", CLOSE)),
    "HTTP": (1002, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
}
"""What ends a socket: the code it ends with, and the bytes."""


def handshake(path: str, headers: Mapping[str, str]) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    told = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    lines = [f"{name}: {value}" for name, value in told.items() if value]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


@dataclass(frozen=True)
class Raw:
    """A connection, from its first byte on."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def opened(self, path: str, headers: Mapping[str, str]) -> None:
        """Shake hands; asserts that it was agreed to."""
        self.writer.write(handshake(path, headers))
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    async def frames(self) -> AsyncGenerator[Heard]:
        """What the server says until it hangs up."""
        try:
            async with asyncio.timeout(HANGS_S):
                while head := await self.reader.read(1):
                    length = (await self.reader.readexactly(1))[0]
                    if length == 126:
                        (length,) = struct.unpack("!H", await self.reader.readexactly(2))
                    elif length == 127:
                        (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
                    yield Heard(head[0] & 0xF, await self.reader.readexactly(length))
        except (ConnectionError, asyncio.IncompleteReadError):
            return

    async def last(self) -> Heard | None:
        """The close frame, or None when the server hung up without one."""
        async with aclosing(self.frames()) as frames:
            async for heard in frames:
                if heard.opcode == CLOSE:
                    return heard
        return None


@asynccontextmanager
async def raw(url: str, buffer_bytes: int | None = None) -> AsyncIterator[Raw]:
    """Connect to where a server listens; the kernel keeps so much that is not read, or a lot."""
    host, _, port = url.partition("://")[2].partition(":")
    line = socket.socket()
    if buffer_bytes is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    line.setblocking(False)  # noqa: FBT003
    await asyncio.get_running_loop().sock_connect(line, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=line)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
