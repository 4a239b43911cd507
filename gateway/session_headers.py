"""What headers say of a session: whose it is, how long to wait for it, when to give it up."""

import re
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Final

from fastapi import Header

from gateway.errors import InvalidInput, NotFound

USER_TOKEN: Final = "X-User-Token"  # noqa: S105 - a header's name
REPLAYED: Final = "Idempotent-Replayed"
SESSION_HEADERS: Final = (USER_TOKEN, "Idempotency-Key", "Prefer", "Cancel-After", "Last-Event-ID")
MAX_WAIT_S: Final = 60.0
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)
_TOKEN_BYTES: Final = 24
_OWNER_BYTES: Final = 24
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_SECONDS: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)s?", re.ASCII)
_WAIT: Final = re.compile(r"(?:^|,)\s*wait=(\d{1,4})\s*(?:$|[,;])", re.ASCII)

UserToken = Annotated[
    str | None,
    Header(alias=USER_TOKEN, max_length=128, description="owns what was made with it"),
]
RepeatedKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="a repeat with the same key gets the first session; needs X-User-Token",
    ),
]
Prefer = Annotated[
    str | None,
    Header(alias="Prefer", max_length=200, description="`wait=N`: answer when done, or in N s"),
]
CancelAfter = Annotated[
    str | None,
    Header(alias="Cancel-After", max_length=16, description="seconds until it ends by itself"),
]


@dataclass(frozen=True, slots=True)
class SessionHeaders:
    """What headers say of a session that is to be made.

    `fresh_token` is one that the caller is yet to be told; `longest_s` is how long he would wait.
    """

    owner: str
    fresh_token: str | None
    key: str | None
    longest_s: float
    cancel_after_s: float | None


def session_headers(
    user_token: UserToken = None,
    key: RepeatedKey = None,
    prefer: Prefer = None,
    cancel_after: CancelAfter = None,
) -> SessionHeaders:
    """Read the headers; raises InvalidInput."""
    fresh = None if user_token else secrets.token_urlsafe(_TOKEN_BYTES)
    return SessionHeaders(
        owner=owner_of(user_token or fresh or ""),
        fresh_token=fresh,
        key=checked_key(key, user_token),
        longest_s=wait_s(prefer),
        cancel_after_s=cancel_after_s(cancel_after),
    )


def owner_of(token: str) -> str:
    """Whose sessions a token's bearer owns; the token cannot be told from it.

    Raises InvalidInput for one that is too short to be safe.
    """
    if _TOKEN.fullmatch(token) is None:
        raise InvalidInput.of(USER_TOKEN, "must be 22 to 128 characters of A-Z, a-z, 0-9, - and _")
    return f"visitor:{blake2b(token.encode(), digest_size=_OWNER_BYTES).hexdigest()}"


def known_owner(token: str | None) -> str:
    """The owner of what is asked for; raises NotFound, as without a token nothing is anybody's."""
    if token is None:
        raise NotFound
    return owner_of(token)


def checked_key(key: str | None, token: str | None) -> str | None:
    """An Idempotency-Key; raises InvalidInput for one that could not be recognised again."""
    if key is None:
        return None
    if _KEY.fullmatch(key) is None:
        raise InvalidInput.of("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    if token is None:
        raise InvalidInput.of("Idempotency-Key", f"needs {USER_TOKEN}: choose a random one")
    return key


def wait_s(prefer: str | None) -> float:
    """Seconds that a caller would wait, 0 if none are named; what is not understood is passed."""
    found = _WAIT.search(prefer or "")
    return 0.0 if found is None else min(float(found[1]), MAX_WAIT_S)


def cancel_after_s(value: str | None) -> float | None:
    """Seconds after which a session ends by itself; raises InvalidInput."""
    if value is None:
        return None
    found = _SECONDS.fullmatch(value.strip())
    if found is None or not float(found[1]):
        raise InvalidInput.of("Cancel-After", "must be seconds, such as 15 or 15s")
    return float(found[1])
