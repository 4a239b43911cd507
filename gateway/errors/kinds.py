"""What can go wrong in any room, each kind with its code; the package draws the whole tree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from gateway.errors.codes import STATUS, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue


class GatewayError(Exception):
    """The root: a message for the caller, structured details, and headers the answer must carry.

    A kind that passes by itself says after how many seconds a retry is worth it.
    Messages and details are public: they never hold a path, an address or a secret.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    default_message: ClassVar[str] = "Something went wrong on our side."
    retry_after_s: ClassVar[int | None] = None

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.details: dict[str, JsonValue] = dict(details or {})
        retry = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        self.headers: dict[str, str] = {**retry, **(headers or {})}
        super().__init__(self.message)

    @property
    def status(self) -> int:
        """The HTTP status of this error's code."""
        return STATUS[self.code]


class InvalidInput(GatewayError):
    """A parameter is wrong; `details["fields"]` names each one and says what is wrong."""

    code = ErrorCode.INVALID_INPUT
    default_message = "The request has invalid parameters."

    @classmethod
    def of(cls, field: str, message: str, **extra: JsonValue) -> InvalidInput:
        """Build the error for one field."""
        return cls.many([{"field": field, "message": message, **extra}])

    @classmethod
    def many(cls, fields: Sequence[Mapping[str, JsonValue]]) -> InvalidInput:
        """Build the error for several fields, each `{"field", "message", …}`."""
        return cls(details={"fields": [dict(field) for field in fields]})


class TooLarge(GatewayError):
    """A file or a body is over its limit."""

    code = ErrorCode.TOO_LARGE
    default_message = "The upload is too large."


class TypeNotAllowed(GatewayError):
    """The declared type is not a still JPEG, PNG or WebP image."""

    code = ErrorCode.TYPE_NOT_ALLOWED
    default_message = "This file type is not accepted: send a still JPEG, PNG or WebP image."


class ContentMismatch(GatewayError):
    """The bytes are not what was declared, or cannot be decoded."""

    code = ErrorCode.CONTENT_MISMATCH
    default_message = "The content of the file is not what it was declared to be."


class BadFileName(GatewayError):
    """The file name could name a path, a device, or hides its true form."""

    code = ErrorCode.BAD_FILE_NAME
    default_message = "The file name is not acceptable."


class NotFound(GatewayError):
    """There is no such resource, or not any more."""

    code = ErrorCode.NOT_FOUND
    default_message = "There is nothing here."


class MethodNotAllowed(GatewayError):
    """The route exists, but not with this method."""

    code = ErrorCode.METHOD_NOT_ALLOWED
    default_message = "This method is not allowed here."


class MalformedBody(GatewayError):
    """The body cannot be parsed as what its Content-Type says."""

    code = ErrorCode.MALFORMED_BODY
    default_message = "The request body cannot be parsed."


class SlowBody(GatewayError):
    """The request body stopped arriving."""

    code = ErrorCode.SLOW_BODY
    default_message = "The request body stopped arriving."


class Conflict(GatewayError):
    """The request is at odds with what was asked before."""

    code = ErrorCode.CONFLICT
    default_message = "This is at odds with what was asked before."


class Busy(GatewayError):
    """There is no room for one more request at this moment."""

    code = ErrorCode.BUSY
    default_message = "The server is busy: try again in a moment."
    retry_after_s = 1


class ModelNotLoaded(GatewayError):
    """No ready worker serves the engine."""

    code = ErrorCode.MODEL_NOT_LOADED
    default_message = "The engine is not ready."
    retry_after_s: ClassVar[int | None] = 5


class NotDeployed(ModelNotLoaded):
    """This deployment has no such engine at all; a retry would not help."""

    default_message = "This engine is not deployed here."
    retry_after_s = None


class InferenceFailed(GatewayError):
    """The engine failed on this request."""

    code = ErrorCode.INFERENCE_FAILED
    default_message = "The engine failed."


class OutOfMemory(GatewayError):
    """The engine's device had no memory left for this request."""

    code = ErrorCode.OUT_OF_MEMORY
    default_message = "The engine is out of memory: try again or ask for a smaller size."
    retry_after_s = 2


class BadDimensions(GatewayError):
    """A picture is too small, too big or too narrow to work with."""

    code = ErrorCode.BAD_DIMENSIONS
    default_message = "The picture's dimensions are not usable."


class Unfit(GatewayError):
    """The engine looked at the picture and cannot use it; the details say which one and why."""

    code = ErrorCode.UNFIT
    default_message = "The picture cannot be used."


class NotLicensed(GatewayError):
    """The engine is not for commercial use, and the deployment is for nothing else."""

    code = ErrorCode.NOT_LICENSED
    default_message = "This engine is not for commercial use."


class TooLate(GatewayError):
    """The engine could not be done in time, and says so at once.

    `details["estimate_s"]` says in how many seconds it could be, `details["within_s"]` what was
    asked.
    """

    code = ErrorCode.TOO_LATE
    default_message = "The engine cannot be done in time."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        estimate_s = (details or {}).get("estimate_s")
        retry = {}
        if isinstance(estimate_s, int | float) and math.isfinite(estimate_s):
            retry["Retry-After"] = str(max(1, math.ceil(estimate_s)))
        super().__init__(message, details=details, headers={**retry, **(headers or {})})


class PinsFull(GatewayError):
    """The engine cannot keep one more garment ready for good; `details` say what room is left."""

    code = ErrorCode.PINS_FULL
    default_message = "There is no room for another pinned garment: delete one, or do not pin it."


class TimedOut(GatewayError):
    """A service behind the gateway took too long."""

    code = ErrorCode.TIMED_OUT
    default_message = "The request took too long."


class Internal(GatewayError):
    """Our own fault; the log has the stack under the same request id."""


class Misconfigured(GatewayError):
    """A setting is wrong."""

    code = ErrorCode.MISCONFIGURED
    default_message = "The server is misconfigured."


class StorageFailed(GatewayError):
    """The object store refused or is away."""

    code = ErrorCode.STORAGE
    default_message = "The storage is not available."
    retry_after_s = 5


class NotKept(StorageFailed):
    """What the engine had made could not be stored: to ask again costs its work again."""


class DatabaseFailed(GatewayError):
    """The database refused or is away."""

    code = ErrorCode.DATABASE
    default_message = "The database is not available."
    retry_after_s: ClassVar[int | None] = 5


class CommitFailed(DatabaseFailed):
    """The database was lost while it kept a change: nobody knows whether it has.

    Any other failure of it changed nothing.
    """


class DatabaseRefused(DatabaseFailed):
    """The database cannot hold what it was given, however often it is tried: our own fault."""

    code = ErrorCode.INTERNAL
    default_message = GatewayError.default_message
    retry_after_s = None
