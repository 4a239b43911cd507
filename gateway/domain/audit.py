"""What is written down of who did what, for a while, and never with a trace of a photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

_MOST_CHARS: Final = 256


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line: `at` is Unix seconds; `caller` is an owner's key, empty for nobody known."""

    event_id: str
    at: float
    event: str
    caller: str
    address: str = ""
    user_agent: str = ""
    reason: str = ""
    detail: Mapping[str, JsonValue] = field(default_factory=dict)


def shortened(text: str) -> str:
    """As much of what a caller sent as is kept, without what could forge a line of a log."""
    return "".join(char for char in text if char.isprintable())[:_MOST_CHARS]
