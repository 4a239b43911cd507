"""The headers that tell a browser what it must not do with an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start"})
"""Where the headers of an answer are, that of a WebSocket that is refused included."""

_TWO_YEARS_S: Final = 63_072_000

GUARDED: Final = "microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"
"""What no answer of ours has a use for, as a Permissions-Policy names it."""


class SecurityHeaders:
    """Adds the headers every answer carries; a route's own value wins.

    An answer is data unless its route says otherwise: it runs nothing, loads nothing, is framed by
    nobody (Content Security Policy Level 3, W3C).
    """

    def __init__(self, app: ASGIApp, *, hsts: bool) -> None:
        self._app = app
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": f"camera=(), {GUARDED}",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        }
        if hsts:
            kept = f"max-age={_TWO_YEARS_S}; includeSubDomains"
            self._headers["Strict-Transport-Security"] = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and complete its headers."""

        async def completed(message: Message) -> None:
            if message["type"] in STARTS:
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, completed)
