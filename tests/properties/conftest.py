"""A property of the gateway may ask for a running gateway, and for what it writes down."""

from tests.gateway.logs import log
from tests.gateway.running import anyio_backend, gateway, quiet

__all__ = ["anyio_backend", "gateway", "log", "quiet"]
