"""A gateway on a port, listening as `python -m gateway` does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from gateway.app import create_app
from gateway.assembly.listening import listening
from tests.gateway.running import Gateway
from tests.gateway.torchserve_stand_in import _end


@asynccontextmanager
async def served(gateway: Gateway, **http: float) -> AsyncIterator[str]:
    """Serve a gateway's application on a free loopback port, some settings changed; its URL."""
    async with server_of(gateway, **http) as server:
        yield url_of(server)


@asynccontextmanager
async def server_of(gateway: Gateway, **http: float) -> AsyncIterator[uvicorn.Server]:
    """The same; its server, of which a test may ask what it holds."""
    settings = gateway.resources.settings
    app = create_app(settings, gateway.resources)
    config = listening(app, settings.http.model_copy(update=http), port=0)
    config.lifespan = "off"
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server
    finally:
        await _end(server)


def url_of(server: uvicorn.Server) -> str:
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
