"""JSON from strangers: strict about what the standard leaves open.

Refused: duplicate keys, NaN and infinities, numbers that overflow to one, lone surrogates, and
nesting deeper than any request needs.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from gateway.errors.kinds import MalformedBody

if TYPE_CHECKING:
    from pydantic import JsonValue

MAX_DEPTH: Final = 32


def parse_object(text: bytes, field: str = "body") -> dict[str, JsonValue]:
    """Parse a JSON object; raises MalformedBody that says what is wrong with it."""
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        _check(value, MAX_DEPTH)
    except RecursionError:
        raise _malformed(field, "nested too deeply") from None
    except (ValueError, _RefusedError) as error:
        reason = str(error) if isinstance(error, _RefusedError) else "not valid JSON"
        raise _malformed(field, reason) from None
    if not isinstance(value, dict):
        raise _malformed(field, "must be a JSON object")
    return value


class _RefusedError(Exception):
    """Valid to Python's parser, not to us."""


def _malformed(field: str, reason: str) -> MalformedBody:
    return MalformedBody("The JSON is not acceptable.", details={"field": field, "reason": reason})


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        message = "a key appears twice"
        raise _RefusedError(message)
    return result


def _refuse_constant(name: str) -> JsonValue:
    message = f"{name} is not a JSON number"
    raise _RefusedError(message)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        message = "a number is out of range"
        raise _RefusedError(message)
    return number


def _check(value: JsonValue, depth: int) -> None:
    if depth < 0:
        message = "nested too deeply"
        raise _RefusedError(message)
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key)
            _check(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth - 1)


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        message = "a string holds half a character"
        raise _RefusedError(message) from None
