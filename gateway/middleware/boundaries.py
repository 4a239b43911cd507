"""Pure ASGI middleware, outermost first: request scope, error boundary, body limit."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from gateway.domain.pixazo import CALLBACK_PATH
from gateway.errors.kinds import NotFound, SlowBody, TooLarge
from gateway.middleware.request_ids import HEADER, request_id_from
from gateway.middleware.security_headers import STARTS
from gateway.responses import as_gateway_error, error_response, log_error
from gateway.services.pictures import INPUTS
from gateway.services.results import PATH as RESULTS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.metrics import Metrics

ANONYMOUS: Final = "anonymous"
_QUIET_PATHS: Final = ("/health", "/metrics")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_CLOSED: Final = 499
_SOCKET: Final = "websocket"
_OF_CALLERS: Final = ("http", _SOCKET)
_SHOWN: Final = (RESULTS, INPUTS, CALLBACK_PATH)
_CLOSE: Final = "websocket.close"
_UNFORESEEN: Final = 1011


class RequestScope:
    """Gives each request its id, binds it to every log line, and counts, times and logs it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within its scope."""
        if scope["type"] not in _OF_CALLERS:
            await self._app(scope, receive, send)
            return
        request_id = request_id_from(Headers(scope=scope).get(HEADER))
        scope["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=request_id, endpoint=_endpoint(scope["path"]), user_id=ANONYMOUS
        )
        answer, started = _Answer(send, request_id), time.perf_counter()
        try:
            await self._app(scope, receive, answer)
        finally:
            if scope["type"] != _SOCKET or answer.is_begun:  # as an answer: it was no socket then
                self._record(scope, answer, time.perf_counter() - started)

    def _record(self, scope: Scope, answer: _Answer, duration_s: float) -> None:
        asked = scope.get("method", "GET")  # as a handshake is
        method = asked if asked in _METHODS else "OTHER"
        route = getattr(scope.get("route"), "path", "(none)")
        self._metrics.requests.labels(method, route, answer.status).inc()
        self._metrics.latency_s.labels(method, route).observe(duration_s)
        if answer.error_code:
            self._metrics.errors.labels(answer.error_code).inc()
        structlog.get_logger(__name__).log(
            logging.DEBUG if scope["path"].startswith(_QUIET_PATHS) else logging.INFO,
            "request",
            method=asked,
            status=answer.status,
            duration_ms=round(duration_s * 1000, 2),
            sent_bytes=answer.sent_bytes,
        )


def _endpoint(path: str) -> str:
    """A path as it is logged.

    The name of a picture would be a trace that outlives it, and a callback's is its secret.
    """
    return next((f"{shown}…" for shown in _SHOWN if path.startswith(shown)), path)


class _Answer:
    """Watches what is sent, and puts the request id on it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.is_begun = False
        self.status = _CLIENT_CLOSED
        self.error_code: str | None = None
        self.sent_bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] in STARTS:
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self._request_id
            self.is_begun = True
            self.status = message["status"]
            self.error_code = headers.get("X-Error-Code")
        elif message["type"] == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)


class ErrorBoundary:
    """Turns whatever nobody caught into the one error shape, and writes its stack down."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; nothing passes this line, a shutdown's cancellation included."""
        if scope["type"] not in _OF_CALLERS:
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if message["type"] == _CLOSE and not started:
                raise NotFound  # Starlette's way to say that no route is there
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (ClientDisconnect, WebSocketDisconnect):
            structlog.get_logger(__name__).info("client disconnected")
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the boundary
            translated = as_gateway_error(error)
            log_error(translated, error)
            if not started:
                await error_response(translated, scope["request_id"])(scope, receive, send)
            elif scope["type"] == _SOCKET:
                await send({"type": _CLOSE, "code": _UNFORESEEN, "reason": translated.message})


class BodyLimit:
    """Ends a request whose body is too large, stalls or trickles, whatever its length claims."""

    def __init__(self, app: ASGIApp, max_bytes: int, total_s: float, stall_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._total_s = total_s
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; reading its body raises TooLarge or SlowBody."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        claimed = Headers(scope=scope).get("content-length", "0")
        if claimed.isdecimal() and int(claimed) > self._max_bytes:
            raise self._too_large()
        received, is_complete = 0, False
        loop = asyncio.get_running_loop()
        end = loop.time() + self._total_s

        async def limited() -> Message:
            nonlocal received, is_complete
            if is_complete:
                return await receive()
            try:
                async with asyncio.timeout_at(min(end, loop.time() + self._stall_s)):
                    message = await receive()
            except TimeoutError:
                raise SlowBody(headers={"Connection": "close"}) from None
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if received > self._max_bytes:
                raise self._too_large()
            return message

        await self._app(scope, limited, send)

    def _too_large(self) -> TooLarge:
        return TooLarge(details={"max_body_bytes": self._max_bytes})
