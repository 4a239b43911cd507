"""How the application listens: uvicorn, with what strangers may cost bounded by the settings."""

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from gateway.middleware import framing, patience
from gateway.settings.http import HttpSettings


class Server(uvicorn.Server):
    """uvicorn's server, which tells the application that it is about to close.

    By itself it waits for all that is asked, and tells the application when it has ended that.
    """

    def __init__(self, config: uvicorn.Config, close: Callable[[], None]) -> None:
        super().__init__(config)
        self._close = close

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let those end who only wait, then uvicorn the others."""
        self._close()
        await super().shutdown(sockets)


def listening(
    app: ASGIApp, http: HttpSettings, host: str | None = None, port: int | None = None
) -> uvicorn.Config:
    """How `app` is served; a host and a port that are given outrank the settings'."""
    return uvicorn.Config(
        app,
        host=host or http.host,
        port=http.port if port is None else port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # gateway.middleware.proxied reads them, from trusted proxies alone
        http=patience.protocol(http.head_s, http.answer_stall_s),
        ws=framing.protocol(http.socket_stall_s),
        ws_max_size=http.socket_message_bytes,
        ws_ping_interval=http.socket_ping_s,
        ws_ping_timeout=http.socket_stall_s,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=http.shutdown_s,
    )
