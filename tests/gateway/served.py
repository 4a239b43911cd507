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
    settings = gateway.resources.settings
    app = create_app(settings, gateway.resources)
    config = listening(app, settings.http.model_copy(update=http), port=0)
    config.lifespan = "off"
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        await _end(server)
