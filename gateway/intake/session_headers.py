"""What headers say of a session: whose it is, how long to wait for it, when to give it up."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, Query
from fastapi.requests import HTTPConnection

from gateway.deps import needs, resources_of
from gateway.domain.identity import Caller, Scope, visitor_owner
from gateway.domain.limits import Limit
from gateway.domain.sessions_webhooks import WebhookKind
from gateway.domain.webhooks import Endpoint
from gateway.errors.features import SwitchedOff
from gateway.errors.kinds import InvalidInput, NotFound
from gateway.intake.credentials import USER_TOKEN
from gateway.intake.session_spans import CANCEL_AFTER, KEEP_FOR, Spans, session_spans

REPLAYED: Final = "Idempotent-Replayed"
SESSION_HEADERS: Final = ("Idempotency-Key", "Prefer", CANCEL_AFTER, KEEP_FOR, "Last-Event-ID")
APPLIED: Final = "Preference-Applied"
TOLD_HEADERS: Final = ("Location", APPLIED, REPLAYED)
"""What answers say of a session that was accepted."""
MAX_WAIT_S: Final = 60.0
_MANY: Final = 2**31
_TOKEN_BYTES: Final = 24
_KEY: Final = r"^[!-~]{1,255}$"
_PREFERENCE: Final = re.compile(r'(?:"(?:\\.|[^"\\])*(?:"|\\?$)|[^",])+')
_WAIT: Final = re.compile(
    r'\s*wait\s*=\s*(?:(?P<bare>\d+)|"(?P<quoted>\d+)")\s*(?:;|$)', re.ASCII | re.IGNORECASE
)

RepeatedKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        json_schema_extra={"pattern": _KEY},
        description="a repeat with the same key gets the first session; needs a token",
    ),
]
Prefer = Annotated[
    str | None,
    Header(alias="Prefer", max_length=200, description="`wait=N`: answer when done, or in N s"),
]
WebhookUrl = Annotated[
    str | None,
    Query(
        alias="webhook_url",
        max_length=2048,
        json_schema_extra={"format": "uri", "pattern": "^https?://"},
        description="is told of this session; its secret is in the answer",
    ),
]
WebhookEvents = Annotated[
    list[WebhookKind] | tuple[()],
    Query(alias="webhook_events", description="what it is told of; none: all of it"),
]


@dataclass(frozen=True, slots=True)
class SessionHeaders:
    """What headers say of a session that is to be made.

    `fresh_token` is one that the caller is yet to be told; `longest_s` is how long he would wait;
    `most_open` sessions of his may be open at once; `payer` is the id of the API key he showed.
    `keep_s` is for how many seconds it is kept, if he chose.
    """

    owner: str
    fresh_token: str | None
    key: str | None
    longest_s: float
    cancel_after_s: float | None
    most_open: int
    webhook: Endpoint | None = None
    payer: str | None = None
    keep_s: float | None = None


@dataclass(frozen=True, slots=True)
class WebhookWish:
    """Who is to be told of what."""

    url: str
    kinds: tuple[str, ...]


async def webhook_wish(url: WebhookUrl = None, kinds: WebhookEvents = ()) -> WebhookWish | None:
    """Read the wish to be told of a session."""
    return None if url is None else WebhookWish(url, tuple(kind.value for kind in kinds))


async def session_headers(
    connection: HTTPConnection,
    caller: Annotated[Caller, needs(Scope.TRYON, Limit.INFERENCE, asks_engine=True)],
    spans: Annotated[Spans, Depends(session_spans)],
    key: RepeatedKey = None,
    prefer: Prefer = None,
    wish: Annotated[WebhookWish | None, Depends(webhook_wish)] = None,
) -> SessionHeaders:
    """Read the headers, and which endpoint is to be told; raises InvalidInput, SwitchedOff."""
    r = resources_of(connection)
    fresh = None if caller.is_known else secrets.token_urlsafe(_TOKEN_BYTES)
    owner = caller.owner if fresh is None else visitor_owner(fresh)
    webhook = None
    if wish is not None:
        if not r.settings.features.webhooks:
            raise SwitchedOff.of("webhooks")
        webhook = r.webhooks.service.made(owner, wish.url, wish.kinds, field="webhook_url")
    return SessionHeaders(
        owner=owner,
        fresh_token=fresh,
        key=checked_key(key, caller),
        longest_s=0.0 if prefer is None else wait_s(connection.headers.getlist("Prefer")),
        cancel_after_s=spans.cancel_after_s,
        most_open=min(r.settings.limits.open_sessions, caller.limits.concurrent_sessions or _MANY),
        webhook=webhook,
        payer=caller.key_id,
        keep_s=spans.keep_s,
    )


def known_owner(caller: Caller) -> str:
    """The owner of what is asked for; raises NotFound, as nothing is a mere address's."""
    if not caller.is_known:
        raise NotFound
    return caller.owner


def checked_key(key: str | None, caller: Caller) -> str | None:
    """An Idempotency-Key; raises InvalidInput for one that could not be recognised again."""
    if key is None:
        return None
    if re.fullmatch(_KEY, key) is None:
        raise InvalidInput.of("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    if not caller.is_known:
        raise InvalidInput.of("Idempotency-Key", f"needs {USER_TOKEN}: choose a random one")
    return key


def wait_s(prefer: Sequence[str]) -> float:
    """Seconds that a caller would wait, 0 if none are named, by the lines of his `Prefer`.

    RFC 7240: the first counts; what is not understood is passed.
    """
    preferences = _PREFERENCE.findall(", ".join(prefer))
    for found in filter(None, map(_WAIT.match, preferences)):
        return min(float(found["bare"] or found["quoted"]), MAX_WAIT_S)
    return 0.0
