"""Sends whoever came without encryption to where there is some (RFC 9110, 15.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import URL
from starlette.responses import RedirectResponse

from gateway.middleware.proxied import TOLD_SCHEME

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_POLICY_VIOLATION: Final = 1008


class HttpsOnly:
    """Redirects what a trusted proxy says came by http; a WebSocket is refused.

    What no proxy speaks for is let through: a health check of the machine itself, or a proxy that
    does not say, which a redirect would send round in circles.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._host = urlsplit(public_url).netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get(TOLD_SCHEME) != "http":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await RedirectResponse(self._secure(scope), 308)(scope, receive, send)

    def _secure(self, scope: Scope) -> str:
        url = URL(scope=scope)
        return str(url.replace(scheme="https", netloc=self._host or url.netloc))
