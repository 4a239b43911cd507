"""Connections as strangers open them, byte by byte, on a real port."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import chain, repeat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.middleware.patience import MAX_HEAD_BYTES
from tests.gateway.frames import raw
from tests.gateway.live import until
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.gateway.served import served, server_of, url_of

pytestmark = pytest.mark.anyio
ALIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /api/v1/uploads HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
FORM = POST + b"Content-Type: multipart/form-data; boundary=e\r\n"
PART = b'--e\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
NO_HTTP = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "noise": bytes(range(256)) * 4,
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "version 9": b"GET / HTTP/9.9\r\n\r\n",
    "a header without colon": ALIVE[:-2] + b"nonsense\r\n\r\n",
    "a header of two lines": ALIVE[:-2] + b"X-A: b\r\n c: d\r\n\r\n",
    "NUL in a header": ALIVE[:-2] + b"X-A: \x00\r\n\r\n",
    "NUL in the path": ALIVE.replace(b"/live", b"/\x00live"),
    "two lengths": FORM + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length below nothing": FORM + b"Content-Length: -1\r\n\r\n",
    "a length in words": FORM + b"Content-Length: many\r\n\r\n",
    "a length beyond numbers": FORM + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "length and chunks": FORM + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a head too long": ALIVE[:-2] + b"X-A: b\r\n" * 50_000 + b"\r\n",
    "a line without end": b"GET /" + b"a" * (4 * MAX_HEAD_BYTES),
}
REFUSED = {
    "less than claimed": FORM + b"Content-Length: 5\r\n\r\nhello world, and more of it",
    "no length": FORM + b"\r\n",
    "chunks of another coding": FORM + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a method of one's own": b"BREW /coffee HTTP/1.1\r\nHost: x\r\n\r\n",
    "more than the limit, claimed": FORM + b"Content-Length: 999999999999\r\n\r\n",
    "a path that climbs": ALIVE.replace(b"/health/live", b"/../../etc/passwd"),
    "a path that climbs in code": ALIVE.replace(b"/health/live", b"/%2e%2e/%2e%2e/etc/passwd"),
    "half a character in the path": ALIVE.replace(b"/health/live", b"/%ff%fe"),
    "a path of 32 KB": ALIVE.replace(b"/health/live", b"/" + b"a" * 32_000),
}


@asynccontextmanager
async def listening(
    gateway: Gateway, head_s: float = HANGS_S, answer_stall_s: float = HANGS_S
) -> AsyncIterator[int]:
    """The gateway on a port, as `python -m gateway` serves it, with these time limits."""
    async with served(gateway, head_s=head_s, answer_stall_s=answer_stall_s) as url:
        yield int(url.rpartition(":")[2])


async def said(port: int, sent: bytes, *, is_finished: bool = True) -> bytes:
    """What is answered to these bytes until the gateway hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        if is_finished:
            writer.write_eof()
        async with asyncio.timeout(HANGS_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def check_refusal(name: str, answer: bytes) -> None:
    """One error in the one shape, in the bytes that came."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 4"), f"{name}: {answer[:300]!r}"
    assert b"server:" not in head.lower(), name
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    error = json.loads(body[:length])
    assert set(error) == {"error_code", "message", "details", "request_id"}, name
    assert error["request_id"].encode() in head, name
    assert b"etc" not in body, name


@pytest.mark.prop(34)
async def test_what_is_no_http_is_refused_in_the_one_shape(gateway: Gateway) -> None:
    async with listening(gateway) as port:
        for name, sent in NO_HTTP.items():
            answer = await said(port, sent)
            if answer:  # who is still sending may see the connection cut first
                check_refusal(name, answer)
            assert b'"alive"' in await said(port, ALIVE), name


async def test_what_is_http_but_makes_no_sense_is_refused(gateway: Gateway) -> None:
    async with listening(gateway) as port:
        for name, sent in REFUSED.items():
            check_refusal(name, await said(port, sent))
            assert b'"alive"' in await said(port, ALIVE), name


@pytest.mark.parametrize("begun", [b"", b"G", ALIVE[:20], ALIVE[:-2]])
async def test_a_head_that_does_not_end_is_hung_up_on(gateway: Gateway, begun: bytes) -> None:
    async with server_of(gateway, head_s=0.05) as server:
        port = urlsplit(url_of(server)).port or 0
        assert await said(port, begun, is_finished=False) == b""
        # Who comes next is to be served, however slow the machine is.
        server.config.http_protocol_class.longest_head_s = HANGS_S  # type: ignore[attr-defined]
        assert b'"alive"' in await said(port, ALIVE)


async def test_a_head_that_trickles_is_hung_up_on(gateway: Gateway) -> None:
    async with listening(gateway, 0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ALIVE[:-2])
        async with asyncio.timeout(HANGS_S):
            while not reader.at_eof() and not writer.is_closing():
                writer.write(b"X: y\r\n")
                try:
                    await writer.drain()
                    async with asyncio.timeout(0.01):
                        await reader.read()
                except (TimeoutError, ConnectionError):
                    continue
        writer.close()


async def chunked(port: int, chunks: Iterable[bytes]) -> bytes:
    """What is answered to a body in so many chunks, each written when the one before is gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(FORM + b"Transfer-Encoding: chunked\r\n\r\n")
        for chunk in chunks:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
            if reader._buffer:  # type: ignore[attr-defined]  # an answer, in the middle of it
                break
        async with asyncio.timeout(HANGS_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.prop(4)
async def test_chunks_beyond_the_limit_are_refused_before_the_last_of_them(
    gateway: Gateway,
) -> None:
    sent = 0

    def file() -> Iterator[bytes]:
        nonlocal sent
        yield PART
        while True:
            sent += 1 << 18
            yield bytes(1 << 18)

    async with listening(gateway) as port:
        answer = await chunked(port, file())
        if answer:  # who is still sending may see the connection cut first
            assert answer.startswith(b"HTTP/1.1 413 ")
        assert sent < 64 << 20
        assert b'"alive"' in await said(port, ALIVE)


async def test_a_body_that_trickles_is_answered_and_hung_up_on(tmp_path: Path) -> None:
    async with (
        running_gateway(tmp_path, http={"body_s": 0.2}) as gateway,
        listening(gateway) as port,
    ):
        answer = await chunked(port, chain([PART], repeat(b"x")))
        if answer:
            check_refusal("trickle", answer)
            assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"alive"' in await said(port, ALIVE)


async def test_who_asks_and_never_reads_is_hung_up_on(gateway: Gateway) -> None:
    document = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    async with server_of(gateway, answer_stall_s=0.1) as server:
        connections = server.server_state.connections
        async with raw(url_of(server), buffer_bytes=4096) as one:
            one.writer.transport.pause_reading()  # type: ignore[attr-defined]
            one.writer.write(document * 100)  # many times what both sides of the line can hold
            await until(lambda: bool(connections))
            await until(lambda: not connections)
        assert b'"alive"' in await said(urlsplit(url_of(server)).port or 0, ALIVE)


async def test_who_leaves_in_the_middle_leaves_nothing_behind(gateway: Gateway) -> None:
    async with listening(gateway) as port:
        for cut in range(1, len(FORM) + 40, 7):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write((FORM + b"Content-Length: 90\r\n\r\n--e\r\nContent-Dispo")[:cut])
            writer.transport.abort()
        assert b'"alive"' in await said(port, ALIVE)
    assert [key async for key in gateway.resources.store.keys("")] == []
