"""How answers look: JSON that is harmless even inside HTML, and one shape for every error."""

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic import JsonValue, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from gateway.errors.kinds import (
    Busy,
    GatewayError,
    Internal,
    InvalidInput,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    SlowBody,
    TooLarge,
    TypeNotAllowed,
)
from gateway.telemetry import NO_REQUEST

_INTERNAL: Final = 500
_OF_REQUESTS: Final = (RequestValidationError, WebSocketRequestValidationError)
_INVALID: Final = (*_OF_REQUESTS, ValidationError)
_Invalid = RequestValidationError | WebSocketRequestValidationError | ValidationError
_HTML: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"))

FRAMEWORK_ERRORS: Final[Mapping[int, type[GatewayError]]] = MappingProxyType(
    {
        400: MalformedBody,
        404: NotFound,
        405: MethodNotAllowed,
        408: SlowBody,
        413: TooLarge,
        415: TypeNotAllowed,
        422: InvalidInput,
    }
)
"""What the framework's own HTTP errors become."""


class SafeJSONResponse(JSONResponse):
    """JSON in which no string can open a tag, whatever page it is pasted into."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - Starlette's signature
        """Encode."""
        return safe_json(content)


def safe_json(content: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    """Encode on one line; `<` and `>` occur only inside strings, so escaping them is safe."""
    body = orjson.dumps(content)
    for char, escape in _HTML:
        body = body.replace(char, escape)
    return body


def error_body(error: GatewayError, request_id: str) -> dict[str, Any]:
    """The one shape of every error."""
    return {
        "error_code": error.code,
        "message": error.message,
        "details": error.details,
        "request_id": request_id,
    }


def error_response(error: GatewayError, request_id: str) -> Response:
    """An error as an answer."""
    headers = {"Cache-Control": "no-store", "X-Error-Code": error.code, **error.headers}
    return SafeJSONResponse(error_body(error, request_id), error.status, headers)


def as_gateway_error(error: BaseException) -> GatewayError:
    """Translate whatever was raised; what nobody foresaw becomes Internal."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, _INVALID):
        return invalid_input(error)
    if isinstance(error, HTTPException):
        kind = FRAMEWORK_ERRORS.get(error.status_code, Internal)
        return kind(headers=error.headers)
    if isinstance(error, asyncio.CancelledError):
        return Busy("The server is shutting down.")
    return Internal()


def invalid_input(error: _Invalid, *prefix: str) -> InvalidInput:
    """Name every field that pydantic refused, without repeating what was sent."""
    faults = cast("Iterable[Mapping[str, Any]]", error.errors())
    return InvalidInput.many([_fault(prefix, fault) for fault in faults])


def _fault(prefix: tuple[str, ...], fault: Mapping[str, Any]) -> Mapping[str, JsonValue]:
    where = ".".join((*prefix, *(str(part) for part in fault["loc"])))
    return {"field": where, "message": str(fault["msg"])}


def install_error_handlers(app: FastAPI) -> None:
    """Give every exception of a route or of the framework the one shape."""
    for kind in (GatewayError, HTTPException, *_OF_REQUESTS):
        app.add_exception_handler(kind, _handle)


async def _handle(request: HTTPConnection, error: Exception) -> Response:
    if request.scope["type"] == "websocket":
        raise error  # the boundary knows whether it was accepted
    translated = as_gateway_error(error)
    log_error(translated, error)
    return error_response(translated, request.scope.get("request_id", NO_REQUEST))


def log_error(translated: GatewayError, cause: BaseException) -> None:
    """Write an error down: with its stack when it is ours, in one line when it is the caller's."""
    log = structlog.get_logger(__name__)
    if translated.status >= _INTERNAL:
        log.error("request failed", error_code=translated.code, exc_info=cause)
    else:
        log.info("request refused", error_code=translated.code, details=translated.details)
