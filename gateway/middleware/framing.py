"""What may come on a WebSocket: messages of bounded size, from somebody who also reads."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.server import ServerProtocol

from gateway.errors.kinds import MalformedBody
from gateway.middleware.request_ids import HEADER, request_id_from
from gateway.middleware.unread import MustRead
from gateway.responses import error_response

if TYPE_CHECKING:
    import asyncio
    from http import HTTPStatus
    from typing import Any

    from uvicorn._types import ASGISendEvent
    from uvicorn.config import Config
    from uvicorn.server import ServerState
    from websockets.frames import Frame
    from websockets.http11 import Response

_FRAME_HEAD_BYTES: Final = 6
"""The least that a frame of a client costs beside what it carries (RFC 6455, 5.2)."""
_TOO_LARGE: Final = 1009
_BAD_TEXT: Final = 1007
_NEVER_OPENED: Final = 1006


def protocol(stall_s: float) -> type[asyncio.Protocol]:
    """Uvicorn's WebSockets for those who read within so many seconds what they are sent."""

    class Bounded(_Bounded):
        longest_unread_s = stall_s

    return Bounded


class _Bounded(MustRead, WebSocketsSansIOProtocol):
    """Hangs up on who does not read, and counts the frames of a message as part of its size.

    uvicorn waits for ever for a client that reads nothing, answers its pings into memory, and
    joins any number of empty fragments.
    """

    _message_bytes = 0

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        log = logging.getLogger("uvicorn.error")
        self.conn = _Handshake(max_size=config.ws_max_size, logger=log)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # whatever is left unsent counts as unread

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a handshake that was refused is complete, too, and no error to be logged."""
        await super().send(message)
        self.handshake_complete |= self.close_sent

    def handle_ping(self) -> None:
        """Answer, unless the answers before are still unread."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_text(self, event: Frame) -> None:
        self._begin(event)
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._begin(event)
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        self._message_bytes += len(event.data) + _FRAME_HEAD_BYTES
        if self._message_bytes > self.config.ws_max_size:
            self._refuse(_TOO_LARGE, "too many fragments")
        elif not self.close_sent:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand a message on; text that is none is the client's fault, and worth no stack."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._refuse(_BAD_TEXT, "a text must be UTF-8")
                return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """End the connection; one that was never opened has no close frame to send."""
        if self.conn.close_sent is None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _NEVER_OPENED})
            self.transport.abort()
            return
        super().handle_parser_exception()

    def _begin(self, event: Frame) -> None:
        self._message_bytes = len(event.data) + _FRAME_HEAD_BYTES

    def _refuse(self, code: int, reason: str) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()


class _Handshake(ServerProtocol):
    """Refuses a handshake in the shape of every other error."""

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        request_id = request_id_from(None)
        reason = text.partition("\n")[0]
        error = MalformedBody("This opens no WebSocket.", details={"reason": reason})
        answer = error_response(error, request_id)
        response = super().reject(status, bytes(answer.body).decode())
        del answer.headers["Content-Length"]
        del response.headers["Content-Type"]
        response.headers.update({**answer.headers, HEADER: request_id})
        return response
