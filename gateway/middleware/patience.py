"""How a connection may begin: in time, in few words, and in HTTP; and that answers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors.kinds import MalformedBody
from gateway.middleware.request_ids import HEADER, request_id_from
from gateway.middleware.unread import MustRead
from gateway.responses import error_response

if TYPE_CHECKING:
    import asyncio

MAX_HEAD_BYTES: Final = 64 * 1024
"""Cookies and tokens together stay far below."""


def protocol(head_s: float, stall_s: float) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP/1.1 for those who send the head of a request within `head_s` seconds.

    Who reads nothing of an answer for `stall_s` seconds is hung up on.
    """

    class Timed(_Impatient):
        longest_head_s = head_s
        longest_unread_s = stall_s

    return Timed


class _Impatient(MustRead, HttpToolsProtocol):
    """Hangs up on a head that trickles or never ends; what is no HTTP gets the one error shape.

    uvicorn times only the pause after an answer, and counts no bytes of a head. Bodies are timed
    and counted where they are read.
    """

    longest_head_s: ClassVar[float]
    _hanging_up: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes = 0 if self._hanging_up is None else self._head_bytes + len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._hurry()

    def on_headers_complete(self) -> None:
        self._calm()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the shape of every other error."""
        request_id = request_id_from(None)
        answer = error_response(MalformedBody(details={"reason": msg}), request_id)
        head = {**answer.headers, HEADER: request_id, "Connection": "close"}
        lines = [f"{name}: {value}" for name, value in head.items()]
        start = "\r\n".join(["HTTP/1.1 400 Bad Request", *lines, "", ""])
        self.transport.write(start.encode("latin-1") + bytes(answer.body))
        self.transport.close()

    def _hurry(self) -> None:
        if self._hanging_up is None:
            self._hanging_up = self.loop.call_later(self.longest_head_s, self.transport.abort)

    def _calm(self) -> None:
        if self._hanging_up is not None:
            self._hanging_up.cancel()
            self._hanging_up = None
