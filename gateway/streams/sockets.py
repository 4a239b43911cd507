"""A session on a WebSocket: what happens goes out, `cancel` and `ping` come in."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.domain.json_text import parse_object
from gateway.errors.kinds import GatewayError, MalformedBody, NotFound
from gateway.responses import safe_json
from gateway.services.waking import Closing
from gateway.services.watching import News
from gateway.streams.sessions import Narrator

ENDED: Final = 1000
BAD_MESSAGE: Final = 1003
RESTARTING: Final = 1012
GONE: Final = 4404
_JSON_ALONE: Final = "a JSON object is expected, as text"
_COMMANDS: Final = "cancel and ping are understood"
_STILL_HERE: Final = '{"type":"still_here"}'
_PONG: Final = '{"type":"pong"}'

Cancel = Callable[[], Awaitable[object]]


class _Over(Exception):
    """The conversation ends with a code of RFC 6455, and why."""

    def __init__(self, code: int, reason: str = "") -> None:
        self.code = code
        self.reason = reason


async def converse(
    socket: WebSocket,
    news: AsyncGenerator[News, None],
    narrator: Narrator,
    cancel: Cancel,
    pause_s: float,
    closing: Closing,
) -> None:
    """Talk until the session has ended or the client is gone, whichever is first.

    Somebody always reads: a client that goes is noticed while nothing happens. What it asks is
    heeded one after the other, `pause_s` seconds apart.
    """
    talking = asyncio.create_task(_tell(socket, news, narrator, closing))
    listening = asyncio.create_task(_listen(socket, cancel, pause_s))
    tasks = (talking, listening)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    if any(isinstance(end, WebSocketDisconnect) for end in ends):
        return
    for end in ends:
        if isinstance(end, _Over):
            await socket.close(end.code, end.reason)
            return
        if isinstance(end, Exception):
            raise end


def may_come_from(connection: HTTPConnection, allowed: Collection[str]) -> bool:
    """Whether a page of this origin may open a WebSocket: the gateway's own, or a known one."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    return origin in allowed or urlsplit(origin).netloc == connection.headers.get("host")


async def _tell(
    socket: WebSocket, news: AsyncGenerator[News, None], narrator: Narrator, closing: Closing
) -> None:
    async with aclosing(news):
        try:
            async for one in news:
                text = _STILL_HERE if one is None else (await narrator.message(one)).as_text()
                await socket.send_text(text)
        except NotFound:
            await socket.send_text(narrator.gone().as_text())
            raise _Over(GONE) from None
    raise _Over(RESTARTING if closing.has_begun else ENDED)


async def _listen(socket: WebSocket, cancel: Cancel, pause_s: float) -> None:
    while True:
        match _kind_of(await socket.receive()):
            case "cancel":
                await _cancelled(socket, cancel)
            case "ping":
                await socket.send_text(_PONG)
            case _:
                raise _Over(BAD_MESSAGE, _COMMANDS)
        await asyncio.sleep(pause_s)


async def _cancelled(socket: WebSocket, cancel: Cancel) -> None:
    """Cancel; of the cancelled session all watchers hear by themselves."""
    try:
        await cancel()
    except GatewayError as error:
        told = {"type": "error", "error_code": error.code, "message": error.message}
        await socket.send_text(safe_json(told).decode())


def _kind_of(message: Any) -> object:  # noqa: ANN401 - ASGI's own
    """What a message asks for; raises WebSocketDisconnect, or _Over for what is none."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", ENDED))
    text = message.get("text")
    if text is None:
        raise _Over(BAD_MESSAGE, _JSON_ALONE)
    try:
        return parse_object(text.encode(), "message").get("type")
    except MalformedBody:
        raise _Over(BAD_MESSAGE, _JSON_ALONE) from None
