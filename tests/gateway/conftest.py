"""Every test here may ask for a running gateway."""

from tests.gateway.logs import log
from tests.gateway.running import anyio_backend, gateway, no_token_comes_back, quiet

__all__ = ["anyio_backend", "gateway", "log", "no_token_comes_back", "quiet"]
