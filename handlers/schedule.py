"""What a caller tells of a request beside its options: who asks, until when, and what to hear.

None of it changes a picture, but for the steps of one that would else be refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

from handlers.engine.tickets import Kind
from handlers.errors import BadParameters

_MAX_TEXT_CHARS: Final = 128


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who asks and how urgently; None leaves it to the worker.

    user: requests of one share a turn with others'; within_s: seconds in which an answer is worth
    having; least_steps: so few would do rather than none; preview_every: a picture of how it goes
    after every so many steps.
    """

    user: str | None = None
    kind: Kind | None = None
    within_s: float | None = None
    least_steps: int | None = None
    preview_every: int | None = None

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """Read it strictly; raises BadParameters naming each wrong field."""
        faults = {
            f"schedule.{name}": _CHECKS[name][1] if name in _CHECKS else "unknown field"
            for name, value in raw.items()
            if name not in _CHECKS or not _CHECKS[name][0](value)
        }
        if faults:
            raise BadParameters("The schedule is not valid.", {"fields": faults})
        kind = raw.get("kind")
        return cls(**{**raw, "kind": None if kind is None else Kind(kind)})


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT_CHARS


def _is_seconds(value: object) -> bool:
    return type(value) in (int, float) and 0 < float(str(value)) < float("inf")


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1


_CHECKS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = MappingProxyType(
    {
        "user": (_is_text, f"must be a text of 1 to {_MAX_TEXT_CHARS} characters"),
        "kind": (lambda value: value in tuple(Kind), f"must be one of {', '.join(Kind)}"),
        "within_s": (_is_seconds, "must be a number of seconds above 0"),
        "least_steps": (_is_count, "must be a whole number from 1 on"),
        "preview_every": (_is_count, "must be a whole number from 1 on"),
    }
)
