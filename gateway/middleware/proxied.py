"""Lets every part of the gateway see who asks, not the proxy in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.domain.forwarding import Proxies

_PROTOCOL: Final = "x-forwarded-proto"
TOLD_SCHEME: Final = "told_scheme"
"""Where a scope says by which of http and https a trusted proxy was asked; absent: unknown."""
_SCHEMES: Final = frozenset({"http", "https"})


class ClientAddress:
    """Replaces the peer's address and scheme by the client's, where trusted proxies tell them.

    It is the only thing that reads their headers; everything else reads `scope["client"]`.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        peer = scope.get("client")
        if scope["type"] == "lifespan" or peer is None or not self._proxies.networks:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        address = self._proxies.client(peer[0], headers.getlist(self._proxies.header))
        seen = {**scope, "client": peer if address == peer[0] else (address, 0)}
        protocol = headers.get(_PROTOCOL, "").rpartition(",")[2].strip().lower()
        if protocol in _SCHEMES and self._proxies.trusts(peer[0]):
            is_socket = scope["type"] == "websocket"
            seen[TOLD_SCHEME] = protocol
            seen["scheme"] = protocol.replace("http", "ws") if is_socket else protocol
        await self._app(seen, receive, send)
