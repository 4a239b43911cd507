"""What a worker writes down: one JSON object per line, with the request's id in every line.

TorchServe reads a worker's standard output. Lines that begin with `[METRICS]` are its own
protocol and stay as they are; all others become JSON with timestamp, level, message, request_id.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_METRICS_MARK: Final = "[METRICS]"
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; `extra={"event": {...}}` adds fields to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its end."""
        message = record.getMessage()
        if message.startswith(_METRICS_MARK):
            return message
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat("T", "milliseconds"),
            "level": record.levelname.lower(),
            "message": message,
            "request_id": _request_id.get(),
            "logger": record.name,
        }
        line |= getattr(record, "event", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, default=str)


def write_json_lines(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Make every logger of this process write JSON lines to `stream` (standard output)."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    handler.addFilter(_is_worth_a_line)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Let every line written inside carry `request_id`."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def event(logger: logging.Logger, level: int, message: str, fields: Mapping[str, Any]) -> None:
    """Write one line with structured fields beside its message."""
    logger.log(level, message, extra={"event": dict(fields)})


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    # TorchServe's worker announces each message it receives, without the request's id.
    return record.module != "otf_message_handler" or record.levelno > logging.INFO
