"""Frames as strangers send them, byte by byte, on a real port: RFC 6455 and what it leaves open."""

import asyncio
import io
import json
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from starlette.requests import ClientDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.services.watching import News, SessionWatch
from tests.gateway.frames import (
    CLOSE,
    CONTINUED,
    MIB,
    NONSENSE,
    PING,
    PING_US,
    PONG,
    TEXT,
    Raw,
    frame,
    handshake,
    raw,
)
from tests.gateway.live import MINE, Live, live_gateway, until
from tests.gateway.logs import lines_of
from tests.gateway.running import HANGS_S
from tests.gateway.served import served

pytestmark = pytest.mark.anyio


class Heard(logging.Handler):
    """Keeps what was written down as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info and record.exc_info[1]
        if not isinstance(fault, ClientDisconnect):  # of the model server's stand-in
            self.faults.append(self.format(record))


@pytest.fixture(autouse=True)
def faults() -> Iterator[list[str]]:
    """What the server or the loop wrote down as an error; nobody may cause one from outside."""
    heard = Heard()
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    for one in loggers:
        one.addHandler(heard)
    yield heard.faults
    for one in loggers:
        one.removeHandler(heard)
    assert heard.faults == []


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_gateway(tmp_path, socket_pause_s=0, socket_ping_s=600) as running:
        running.steps.may_step.clear()
        yield running


async def told(live: Live, session_id: str, sent: bytes) -> int | None:
    """The code with which a socket ends to which these bytes are sent."""
    async with raw(live.url) as one:
        await one.opened(f"/ws/tryon/{session_id}", MINE)
        one.writer.write(sent)
        end = await one.last()
        return None if end is None else end.code


async def answers(one: Raw) -> None:
    """Somebody else's socket still answers."""
    one.writer.write(frame(PING_US))
    async with asyncio.timeout(HANGS_S):
        async for heard in one.frames():
            if heard.opcode == TEXT and json.loads(heard.content)["type"] == "pong":
                return
    raise AssertionError


async def test_nonsense_ends_its_own_socket_with_a_code_and_no_other(live: Live) -> None:
    session_id = await live.create()
    async with raw(live.url) as other:
        await other.opened(f"/ws/tryon/{session_id}", MINE)
        for name, (code, sent) in NONSENSE.items():
            assert await told(live, session_id, sent) == code, name
            await answers(other)
    await until(live.nobody_watches)


async def test_whoever_is_refused_is_told_why(live: Live) -> None:
    session_id = await live.create()
    for sent, why in ((frame(b"[]"), b"JSON object"), (frame(b"{}"), b"cancel and ping")):
        async with raw(live.url) as one:
            await one.opened(f"/ws/tryon/{session_id}", MINE)
            one.writer.write(sent)
            end = await one.last()
        assert end is not None
        assert why in end.content


class Broken(SessionWatch):
    """Fails as nobody foresaw."""

    async def follow(self, *_: object) -> AsyncGenerator[News, None]:
        yield self._nothing()

    def _nothing(self) -> News:
        raise RuntimeError("no such thing")


@pytest.mark.prop(33)
async def test_what_nobody_foresaw_ends_with_a_code_and_a_line(
    live: Live, log: io.StringIO
) -> None:
    session_id = await live.create()
    sound = live.gateway.resources.watch
    broken = Broken(sound._book, sound._notices, sound._rules, sound.room, sound.closing)
    gateway = copy(live.gateway)
    gateway.resources = replace(live.gateway.resources, watch=broken)
    async with served(gateway) as url, raw(url) as one:
        await one.opened(f"/ws/tryon/{session_id}", MINE)
        end = await one.last()
    assert end is not None
    assert end.code == 1011
    (line,) = [line for line in lines_of(log) if "exception" in line]
    assert line["endpoint"] == f"/ws/tryon/{session_id}"
    assert line["user_id"]
    assert len(line["request_id"]) == 32


async def test_flipped_bits_cost_one_socket_at_most(live: Live) -> None:
    session_id = await live.create()
    dice = random.Random(7)
    sound = frame(PING_US) + frame(b"ping", PING) + frame(PING_US, is_final=False)
    sound += frame(b" ", CONTINUED) + frame(b"\x03\xe8bye", CLOSE)
    room = live.gateway.resources.watch.room
    async with raw(live.url) as other:
        await other.opened(f"/ws/tryon/{session_id}", MINE)
        for _ in range(200):
            await until(lambda: room.taken < 10)  # a session has places for few
            flipped = bytearray(sound)
            for _ in range(dice.randint(1, 4)):
                flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
            async with raw(live.url) as one:
                await one.opened(f"/ws/tryon/{session_id}", MINE)
                one.writer.write(flipped)
                one.writer.write_eof()
        await answers(other)
    await until(live.nobody_watches)


@pytest.mark.prop(34)
async def test_a_handshake_that_is_none_is_refused_in_the_one_shape(live: Live) -> None:
    session_id = await live.create()
    path = f"/ws/tryon/{session_id}"
    for headers in (
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Version": ""},
    ):
        await refused(live, handshake(path, MINE | headers), 4)
    await refused(live, handshake("/ws/nowhere", MINE), 404)
    await refused(live, handshake(f"{path}?after=soon", MINE), 422)
    await refused(live, handshake(f"{path}?after=-1", MINE), 422)
    await refused(live, handshake(path, {}), 404)


async def refused(live: Live, sent: bytes, status: int) -> None:
    async with raw(live.url) as one:
        one.writer.write(sent)
        one.writer.write_eof()
        head, _, body = (await one.reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status), head
    error = json.loads(body)
    assert set(error) == {"error_code", "message", "details", "request_id"}
    assert error["request_id"].encode() in head


@pytest.mark.parametrize(
    "early", [frame(PING_US), frame(opcode=PING), frame(opcode=0x3), frame(b"\x03\xe8", CLOSE)]
)
async def test_frames_before_the_handshake_is_answered_harm_nobody(
    live: Live, early: bytes
) -> None:
    session_id = await live.create()
    for _ in range(5):
        async with raw(live.url) as one:
            one.writer.write(handshake(f"/ws/tryon/{session_id}", MINE))
            await one.writer.drain()
            one.writer.write(early * 10)
            one.writer.write_eof()
            async with asyncio.timeout(HANGS_S):
                await one.reader.read(100)
    async with raw(live.url) as one:
        await one.opened(f"/ws/tryon/{session_id}", MINE)
        await answers(one)


async def test_who_hangs_up_before_the_answer_leaves_nothing_behind(live: Live) -> None:
    session_id = await live.create()
    for cut in range(1, 200, 17):
        async with raw(live.url) as one:
            one.writer.write(handshake(f"/ws/tryon/{session_id}", MINE)[:-cut])
        async with raw(live.url) as one:
            one.writer.write(handshake(f"/ws/tryon/{session_id}", MINE))
            await one.writer.drain()
    await until(live.nobody_watches)


async def test_a_flood_of_pings_is_answered_to_who_reads(live: Live) -> None:
    session_id = await live.create()
    async with raw(live.url) as one:
        await one.opened(f"/ws/tryon/{session_id}", MINE)
        one.writer.write(frame(b"x" * 125, PING) * 2000)
        pongs = 0
        async for heard in one.frames():
            pongs += heard.opcode == PONG
            if pongs == 2000:
                break
        await answers(one)


def unsent_bytes(server: uvicorn.Server) -> int:
    """What a server keeps for those who do not read."""
    return sum(
        one.transport.get_write_buffer_size() + sum(map(len, one.conn.writes))
        for one in server.server_state.connections
        if isinstance(one, WebSocketsSansIOProtocol)
    )


async def test_who_pings_and_never_reads_is_hung_up_on_and_costs_no_memory(tmp_path: Path) -> None:
    flood = frame(b"x" * 125, PING) * 8000
    async with live_gateway(tmp_path, socket_stall_s=0.2) as live:
        live.steps.may_step.clear()
        session_id = await live.create()
        async with raw(live.url, buffer_bytes=4096) as one:
            await one.opened(f"/ws/tryon/{session_id}", MINE)
            one.writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(1000):
                one.writer.write(flood)
                try:
                    await one.writer.drain()
                except ConnectionError:
                    break
                assert unsent_bytes(live.server) < MIB
            else:
                raise AssertionError
        await until(live.nobody_watches)


async def test_who_answers_no_ping_is_hung_up_on(tmp_path: Path) -> None:
    async with live_gateway(tmp_path, socket_ping_s=0.05, socket_stall_s=0.05) as live:
        live.steps.may_step.clear()
        session_id = await live.create()
        async with raw(live.url) as one:
            await one.opened(f"/ws/tryon/{session_id}", MINE)
            end = await one.last()
        assert end is not None
        assert end.code == 1011
        await until(live.nobody_watches)
