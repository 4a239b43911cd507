"""The errors a worker answers with: types with codes, rendered into one error frame.

HandlerError
├── BadParameters      VAL_2001  a field is missing, unknown, of the wrong type or outside its range
├── UndecodableImage   VAL_2004  the bytes are not a picture
├── ModelNotLoaded     ML_4001   the worker holds no model yet (retryable)
├── InferenceFailed    ML_4002   the engine broke on this request
├── OutOfMemory        ML_4003   the device had no room for this request (retryable)
├── BadDimensions      ML_4004   no allowed size fits the picture
├── Unfit              ML_4005   the picture shows no usable person or garment
└── TooLate            ML_4007   the answer could not be there in time
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class HandlerError(Exception):
    """A refusal or failure of one request, with what its caller may know of it.

    `message` is for people and names no path or system detail; `details` is JSON-ready.
    """

    code: ClassVar[str] = "ML_4002"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})

    def as_dict(self) -> dict[str, Any]:
        """Give the payload of an error frame."""
        return {
            "error_code": self.code,
            "message": self.message,
            "details": self.details,
            "retryable": self.retryable,
        }


class BadParameters(HandlerError):
    """A field is missing, unknown, of the wrong type or outside its range."""

    code = "VAL_2001"


class UndecodableImage(HandlerError):
    """The bytes of a picture part are not a picture."""

    code = "VAL_2004"


class ModelNotLoaded(HandlerError):
    """The worker was asked before its model was loaded."""

    code = "ML_4001"
    retryable = True


class InferenceFailed(HandlerError):
    """The engine broke on this request."""

    code = "ML_4002"


class OutOfMemory(HandlerError):
    """The device had no room for this request."""

    code = "ML_4003"
    retryable = True


class BadDimensions(HandlerError):
    """No allowed size fits the picture's proportions."""

    code = "ML_4004"


class Unfit(HandlerError):
    """The picture cannot be used: no person, no garment, a landmark that is not there.

    `details` holds `image` (`person_image` or `garment_image`) and `reason`, and where they
    apply `landmark` and `part`.
    """

    code = "ML_4005"


class TooLate(HandlerError):
    """The answer could not be there in time; `details` holds `within_s` and `estimate_s`."""

    code = "ML_4007"


class PinsFull(HandlerError):
    """There is no room for another pinned garment; `details` holds needed_bytes and free_bytes."""

    code = "ML_4008"
