import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.servers.fault_proxy import FaultProxy
from tests.servers.process import held_port

pytestmark = pytest.mark.anyio


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(1024):
            writer.write(chunk)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """A proxy in front of a server that says what it is told."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with FaultProxy(server.sockets[0].getsockname()[1]).running() as proxy:
        yield proxy
    server.close()


class Line:
    """A connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, said: bytes) -> bytes:
        self.writer.write(said)
        return await self.reader.readexactly(len(said))


@pytest.fixture
async def line(proxy: FaultProxy) -> AsyncIterator[Line]:
    line = await _connect(proxy)
    yield line
    line.writer.close()


async def _connect(proxy: FaultProxy) -> Line:
    return Line(*await asyncio.open_connection("127.0.0.1", proxy.port))


async def test_without_faults_everything_passes(proxy: FaultProxy, line: Line) -> None:
    said = bytes(range(256)) * 1000
    assert await line.ask(said) == said
    line.writer.write_eof()
    assert await line.reader.read() == b""
    assert proxy.connections == 1


async def test_latency_delays_each_way(proxy: FaultProxy, line: Line) -> None:
    proxy.faults.latency_s = 0.02
    loop = asyncio.get_running_loop()
    start = loop.time()
    await line.ask(b"late")
    assert loop.time() - start >= 0.04


async def test_a_black_hole_answers_nothing_and_stays_open(proxy: FaultProxy, line: Line) -> None:
    proxy.faults.is_blackhole = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(line.ask(b"anybody?"), 0.05)
    assert not line.reader.at_eof()


async def test_the_next_questions_are_reset_and_those_after_pass(
    proxy: FaultProxy, line: Line
) -> None:
    proxy.faults.reset_next = 1
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await line.ask(b"first")
    again = await _connect(proxy)
    assert await again.ask(b"second") == b"second"
    again.writer.close()


async def test_the_next_answers_are_lost(proxy: FaultProxy, line: Line) -> None:
    proxy.faults.lose_next = 1
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await line.ask(b"done, but who knows")
    assert proxy.faults.lose_next == 0


async def test_open_connections_are_reset(proxy: FaultProxy, line: Line) -> None:
    await line.ask(b"open")
    proxy.reset_all()
    with pytest.raises(ConnectionResetError):
        await line.reader.read()


async def test_new_connections_are_refused(proxy: FaultProxy, line: Line) -> None:
    await line.ask(b"before")
    proxy.faults.is_refusing = True
    refused = await _connect(proxy)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await refused.ask(b"after")
    assert await line.ask(b"the old one") == b"the old one"


async def test_an_answer_is_cut_after_so_many_bytes(proxy: FaultProxy, line: Line) -> None:
    proxy.faults.answer_bytes = 3
    line.writer.write(b"0123456789")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await line.reader.readexactly(4)


async def test_an_answer_may_end_while_questions_go_on(proxy: FaultProxy, line: Line) -> None:
    proxy.faults.half_close_bytes = 3
    line.writer.write(b"0123456789")
    assert await line.reader.read() == b"012"
    line.writer.write(b"still listening?")
    await line.writer.drain()


async def test_somebody_else_may_answer(proxy: FaultProxy, line: Line) -> None:
    proxy.faults.answer_next.append(b"HTTP/1.1 503 Slow Down\r\n\r\n")
    line.writer.write(b"GET /\r\n\r\n")
    line.writer.write_eof()
    assert (await line.reader.read()).startswith(b"HTTP/1.1 503")


async def test_a_server_that_is_gone_is_a_reset() -> None:
    with held_port() as gone:
        async with FaultProxy(gone.getsockname()[1]).running() as proxy:
            line = await _connect(proxy)
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await line.ask(b"hello")
