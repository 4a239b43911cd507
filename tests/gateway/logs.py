"""What is written to the log while a test runs."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.telemetry import configure_logging


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of the gateway, caught; everything is put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    configure_logging("INFO", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines_of(log: io.StringIO) -> list[dict[str, Any]]:
    """Its lines."""
    return [json.loads(line) for line in log.getvalue().splitlines()]
