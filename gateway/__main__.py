"""`python -m gateway`: serve on the address that the settings name."""

import argparse
import sys

import structlog
import uvicorn

from gateway.app import create_app
from gateway.errors.kinds import Misconfigured
from gateway.middleware import patience
from gateway.settings.tree import Settings, load_settings
from gateway.telemetry import configure_logging


def main() -> int:
    """Read the settings, start the server, and return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="Serve the gateway.")
    parser.add_argument("--host", help="address to listen on, instead of http.host")
    parser.add_argument("--port", type=int, help="port to listen on, instead of http.port")
    options = parser.parse_args()
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.secrets())
        serve(settings, options.host, options.port)
    except Misconfigured as error:
        configure_logging("INFO")
        structlog.get_logger(__name__).critical("not started", reason=error.message)
        return 2
    return 0


def serve(settings: Settings, host: str | None = None, port: int | None = None) -> None:
    """Run uvicorn until a signal ends it."""
    uvicorn.run(
        create_app(settings),
        host=host or settings.http.host,
        port=settings.http.port if port is None else port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # gateway.middleware.proxied reads them, from trusted proxies alone
        http=patience.protocol(settings.http.head_s),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=settings.http.shutdown_s,
    )


if __name__ == "__main__":
    sys.exit(main())
