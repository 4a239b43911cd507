"""What is written down: JSON log lines, one request id through them all, and no secrets."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from gateway.domain.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from structlog.typing import EventDict, Processor, WrappedLogger

NO_REQUEST: Final = "-"
_CHATTY: Final = (
    "aiosqlite",  # which shows every statement with its values
    "httpx",
    "httpcore",
    "PIL",
    "multipart",
    "python_multipart",
    "asyncio",
)


def configure_logging(
    level: str, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send every line of this process, libraries included, to `stream` (stdout) as JSON."""
    shared = _processors(Redactor(secrets))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"


def _processors(redactor: Redactor) -> list[Processor]:
    def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {name: redactor.named(name, value) for name, value in event.items()}

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _shape,
        redact,
    ]


def _shape(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name the fields as every line of this product does."""
    event["message"] = str(event.pop("event", ""))
    event.setdefault("request_id", NO_REQUEST)
    event.pop("color_message", None)
    return event


def _render(_: WrappedLogger, __: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate; the standard library escapes it
        return json.dumps(event, default=repr)
