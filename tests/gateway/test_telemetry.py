import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.telemetry import configure_logging


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log, caught, with everything put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logging("INFO", ["the-signing-key"], stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def last(lines: io.StringIO) -> dict[str, object]:
    line: dict[str, object] = json.loads(lines.getvalue().splitlines()[-1])
    return line


def test_a_line_is_json_with_the_four_fields(lines: io.StringIO) -> None:
    structlog.get_logger().info("it happened", count=3)
    line = last(lines)
    assert {"timestamp", "level", "message", "request_id"} <= line.keys()
    assert (line["message"], line["level"], line["count"]) == ("it happened", "info", 3)


def test_libraries_write_the_same_lines(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("took %d s", 3)
    assert (last(lines)["message"], last(lines)["level"]) == ("took 3 s", "warning")


def test_a_bound_request_id_is_on_every_line(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        logging.getLogger("some.library").warning("x")
        assert last(lines)["request_id"] == "abc"
    structlog.get_logger().info("x")
    assert last(lines)["request_id"] == "-"


def test_an_exception_comes_with_its_stack(lines: io.StringIO) -> None:
    try:
        int("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError: invalid literal" in str(last(lines)["exception"])


def test_a_configured_secret_is_masked_wherever_it_appears(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("key=%s", "the-signing-key")
    structlog.get_logger().info("x", note=["the-signing-key"], password="p")  # noqa: S106
    assert "the-signing-key" not in lines.getvalue()
    assert last(lines)["password"] == "[redacted]"  # noqa: S105


@pytest.mark.parametrize("value", ["\ud800", {1: object()}, b"\xff", float("nan")])
def test_no_value_breaks_a_line(lines: io.StringIO, value: object) -> None:
    structlog.get_logger().info("x", value=value)
    assert last(lines)["message"] == "x"
