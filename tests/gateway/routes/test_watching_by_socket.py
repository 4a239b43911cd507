"""Sessions by WebSocket: the same events, cancelling, and who may not."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.gateway.live import FOREIGN, MINE, Live, all_of, live_gateway, until
from tests.gateway.steps_stand_in import STEPS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_gateway(tmp_path) as running:
        yield running


async def messages(socket: ClientConnection) -> list[dict[str, Any]]:
    """Everything until the socket is closed."""
    return [json.loads(text) async for text in socket]


async def test_a_socket_tells_the_same_as_a_stream(live: Live) -> None:
    session_id = await live.create()
    told = all_of((await live.events(session_id)).text)
    async with live.socket(session_id) as socket:
        heard = await messages(socket)
    assert [(one["type"], one["id"]) for one in heard] == [(one.name, one.number) for one in told]
    assert socket.close_code == 1000
    async with live.socket(session_id, query=f"?after={told[-2].number}") as socket:
        assert [one["id"] for one in await messages(socket)] == [told[-1].number]


async def test_a_page_of_the_gateways_own_opens_a_socket_by_its_link(live: Live) -> None:
    session_id = await live.create()
    link = (await live.get(session_id))["urls"]["socket"]
    headers = {"Origin": live.url}
    async with live.socket(session_id, headers, "?" + link.partition("?")[2]) as socket:
        assert (await messages(socket))[-1]["state"] == "completed"


@pytest.mark.prop(38)
async def test_the_signature_of_a_socket_s_link_reaches_no_line(
    live: Live, log: io.StringIO
) -> None:
    session_id = await live.create()
    query = (await live.get(session_id))["urls"]["socket"].partition("?")[2]
    signature = query.partition("signature=")[2].partition("&")[0]
    assert len(signature) > 16
    async with live.socket(session_id, {}, f"?{query}") as socket:
        await messages(socket)
    with pytest.raises(InvalidStatus):
        await live.socket(session_id, {}, f"?{query}x").__aenter__()
    assert "accepted" in log.getvalue()
    assert signature not in log.getvalue()


async def test_by_a_socket_a_session_is_cancelled(live: Live) -> None:
    live.steps.may_step.clear()
    session_id = await live.create()
    async with live.socket(session_id) as socket:
        await socket.send('{"type": "ping"}')
        await socket.send('{"type": "cancel"}')
        heard = await messages(socket)
    assert "pong" in [one["type"] for one in heard]
    assert heard[-1]["state"] == "cancelled"
    await live.steps.was_left.wait()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("hello", 1003),
        ('{"type": "dance"}', 1003),
        ("[]", 1003),
        (b"\x00", 1003),
        ("x" * 5000, 1009),
    ],
)
async def test_who_talks_nonsense_is_hung_up_on(live: Live, sent: str | bytes, code: int) -> None:
    live.steps.may_step.clear()
    session_id = await live.create()
    async with live.socket(session_id) as socket:
        await socket.send(sent)
        with suppress(ConnectionClosed):
            await messages(socket)
    assert socket.close_code == code


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 404), (FOREIGN, 404), (MINE | {"Origin": "https://elsewhere.example"}, 403)],
)
async def test_strangers_and_pages_from_elsewhere_open_no_socket(
    live: Live, headers: dict[str, str], status: int
) -> None:
    session_id = await live.create()
    with pytest.raises(InvalidStatus) as refused:
        await live.socket(session_id, headers).__aenter__()
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["error_code"]


async def test_a_client_that_goes_leaves_nothing_behind(live: Live) -> None:
    live.steps.may_step.clear()
    session_id = await live.create()
    async with live.socket(session_id) as socket:
        await socket.recv()
        socket.transport.abort()
    await until(live.nobody_watches)


async def test_a_slow_reader_keeps_nobody_waiting(live: Live) -> None:
    session_id = await live.create(steps=STEPS, preview_every=1)
    async with live.socket(session_id):  # nobody reads
        quick = all_of((await live.events(session_id)).text)
    assert quick[-1].data["state"] == "completed"
