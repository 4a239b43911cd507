"""`python -m gateway`: serve on the address that the settings name."""

import argparse
import sys
from contextlib import suppress
from typing import Final

import structlog

from gateway.app import create_app
from gateway.assembly.listening import Server, listening
from gateway.errors.kinds import Misconfigured
from gateway.settings.tree import Settings, load_settings
from gateway.telemetry import configure_logging

_NOT_STARTED: Final = 3


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
    app = create_app(settings)
    config = listening(app, settings.http, host, port)

    def close() -> None:
        app.state.resources.watch.closing.begin()  # they are open by now

    server = Server(config, close)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)


if __name__ == "__main__":
    sys.exit(main())
