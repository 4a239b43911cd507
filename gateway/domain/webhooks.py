"""Webhooks by the Standard Webhooks specification: signing, verifying, and when to try again.

https://www.standardwebhooks.com: the signature `v1,<base64>` is an HMAC-SHA256 over
`id.timestamp.body`; a secret is `whsec_` and the base64 of 24 to 64 bytes; while secrets rotate
there is a signature for each, separated by spaces. An id stays the same through every repetition.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import JsonValue

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with
SECRET_BYTES: Final = 32
TOLERANCE_S: Final = 300
# After the first try: seconds, minutes, then hours, for a day in all.
PAUSES_S: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 34_200)
GONE: Final = 410
_PARTING: Final = frozenset({"session_id", "state"})
_VERSION: Final = "v1"
_LEAST_BYTES, _MOST_BYTES = 24, 64


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret; one that was replaced signs `until` (Unix seconds) beside its successor."""

    secret: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an owner wants to be told; no `kinds` are all of them.

    One of a session is told of this session alone. One that is disabled says why.
    """

    endpoint_id: str
    owner: str
    url: str
    secrets: tuple[Secret, ...]
    kinds: tuple[str, ...] = ()
    session_id: str | None = None
    created_at: float = 0.0
    disabled: str | None = None


class DeliveryState(StrEnum):
    """What has become of a message."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to an endpoint, and how it fares. Times are Unix seconds."""

    message_id: str
    endpoint_id: str
    session_id: str | None
    kind: str
    state: DeliveryState
    tries: int
    created_at: float
    not_before: float
    ended_at: float | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Errand:
    """A message that somebody has taken to deliver; `attempt` is his fencing token."""

    message_id: str
    attempt: int
    tries: int
    owner: str
    endpoint_id: str
    url: str
    secrets: tuple[Secret, ...]
    body: str


@dataclass(frozen=True, slots=True)
class Shares:
    """How many messages are under way at once: in all, of one owner, to one endpoint."""

    at_once: int
    per_owner: int
    per_endpoint: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try: accepted, or to be tried again after `wait_s`, or for good not.

    `is_gone`: the receiver wants no message any more.
    """

    is_accepted: bool
    status: int | None = None
    error: str | None = None
    wait_s: float | None = None
    is_gone: bool = False


class Unreachable(Exception):
    """A call outside that got no answer; the text is public."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call outside was answered; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class BadSecret(Exception):
    """Not `whsec_` and the base64 of 24 to 64 bytes."""


class NotGenuine(Exception):
    """A message that is not signed by us, or not lately."""


def secret_of(key: bytes) -> str:
    """A signing key of 24 to 64 bytes as it is handed out."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The key within a secret; raises BadSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret from None
    if not secret.startswith(SECRET_PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise BadSecret
    return key


def event_body(kind: str, at: float, data: Mapping[str, JsonValue]) -> str:
    """What is sent of an event of this kind, which happened at `at` (Unix seconds)."""
    timestamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return _packed({"type": kind, "timestamp": timestamp.replace("+00:00", "Z"), "data": data})


def parting_body(body: str) -> str:
    """What is sent of a session's end when it is erased already: which it was, and how it ended."""
    told = json.loads(body)
    kept = {name: value for name, value in told["data"].items() if name in _PARTING}
    return _packed(told | {"data": kept})


def _packed(told: Mapping[str, object]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the signature; `timestamp` is Unix seconds."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    digest = hmac.new(key_of(secret), signed, sha256).digest()
    return f"{_VERSION},{base64.b64encode(digest).decode()}"


def signed_headers(
    secrets: Iterable[str], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The headers of a message, signed with every secret that is in force."""
    signatures = [signature(secret, message_id, timestamp, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a genuine message; `headers` in lower case. Raises NotGenuine."""
    message_id, told = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not (told.isascii() and told.isdecimal()):
        raise NotGenuine
    timestamp = int(told)
    if abs(now - timestamp) > TOLERANCE_S:
        raise NotGenuine
    ours = [signature(secret, message_id, timestamp, body).encode() for secret in secrets]
    theirs = headers.get("webhook-signature", "").encode().split(b" ")
    # Every pair is compared, so that the time taken tells nothing.
    if not any([hmac.compare_digest(one, other) for one in ours for other in theirs]):  # noqa: C419
        raise NotGenuine
    return message_id


def pause_s(tries: int, spread: float) -> float | None:
    """How long to wait after so many failed tries (1 and more); None: it was the last one.

    `spread`, from 0 to 1, takes up to a tenth off, so that not all come back at once.
    """
    if tries > len(PAUSES_S):
        return None
    return PAUSES_S[tries - 1] * (1 - spread / 10)


def outcome(status: int, tries: int, spread: float) -> Tried:
    """What a status means after so many tries, this one counted."""
    if is_accepted(status):
        return Tried(is_accepted=True, status=status)
    if status == GONE:
        return Tried(is_accepted=False, status=status, error="gone", is_gone=True)
    return Tried(is_accepted=False, status=status, error="refused", wait_s=pause_s(tries, spread))


def is_accepted(status: int) -> bool:
    """Whether the receiver has taken the message; a redirect is not followed, and no answer."""
    return 200 <= status < 300  # noqa: PLR2004 - the class of statuses


def in_force(secrets: Iterable[Secret], now: float) -> list[str]:
    """The secrets that sign now."""
    return [one.secret for one in secrets if one.until is None or one.until > now]
