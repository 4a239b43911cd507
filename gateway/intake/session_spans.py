"""How long a session may take, and is kept: less than is usual, or, with an account, more."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Header
from fastapi.requests import HTTPConnection

from gateway.deps import resources_of
from gateway.domain.durations import DAY_S
from gateway.domain.identity import Caller
from gateway.errors.kinds import InvalidInput
from gateway.settings.sessions import SessionSettings

CANCEL_AFTER: Final = "Cancel-After"
KEEP_FOR: Final = "Keep-For"
_SECONDS: Final = (
    r"^(?:[1-9][0-9]{0,5}(?:\.[0-9]{1,3})?|0\.(?:[1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9]))s?$"
)
_UNITS_S: Final = {"": 1, "s": 1, "h": 3600, "d": DAY_S}
_SPAN: Final = r"^[1-9][0-9]{0,7}[shd]?$"

CancelAfter = Annotated[
    str | None,
    Header(
        alias=CANCEL_AFTER,
        max_length=16,
        json_schema_extra={"pattern": _SECONDS},
        description="seconds until it ends by itself",
    ),
]
KeepFor = Annotated[
    str | None,
    Header(
        alias=KEEP_FOR,
        max_length=16,
        json_schema_extra={"pattern": _SPAN},
        description="for how long it is kept: 600, 600s, 12h, 30d; more than usual for accounts",
    ),
]


@dataclass(frozen=True, slots=True)
class Spans:
    """In seconds: after how long it ends by itself, how long it is kept; None: not chosen."""

    cancel_after_s: float | None
    keep_s: float | None


async def session_spans(
    connection: HTTPConnection, cancel_after: CancelAfter = None, keep_for: KeepFor = None
) -> Spans:
    """Read them; raises InvalidInput for what cannot be read, or is more than the caller may."""
    told = resources_of(connection).settings.sessions
    longest_s = longest(connection.scope["caller"], told)
    return Spans(cancel_after_s(cancel_after), keep_s(keep_for, longest_s))


def keep_s(value: str | None, longest_s: int) -> float | None:
    """Seconds for which a session is kept; raises InvalidInput."""
    if value is None:
        return None
    told = value.strip()
    if re.fullmatch(_SPAN, told) is None:
        raise InvalidInput.of(KEEP_FOR, "must be a whole number of seconds, hours or days: 30d")
    number, unit = re.sub(r"[^0-9]", "", told), told.lstrip("0123456789")
    seconds = int(number) * _UNITS_S[unit]
    if seconds > longest_s:
        raise InvalidInput.of(KEEP_FOR, f"must be at most {longest_s} s here, for this caller")
    return float(seconds)


def longest(caller: Caller, told: SessionSettings) -> int:
    """For how many seconds a caller may have a session kept; a visitor no longer than is usual."""
    if caller.is_anonymous:
        return told.retention_s
    return max(told.retention_s, told.account_retention_s)


def cancel_after_s(value: str | None) -> float | None:
    """Seconds after which a session ends by itself; raises InvalidInput."""
    if value is None:
        return None
    told = value.strip()
    if re.fullmatch(_SECONDS, told) is None:
        raise InvalidInput.of(CANCEL_AFTER, "must be seconds, such as 15 or 15s")
    return float(told.removesuffix("s"))
