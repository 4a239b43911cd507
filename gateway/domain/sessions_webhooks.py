"""What endpoints of webhooks are told of sessions."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.domain.sessions import EventKind
from gateway.domain.sessions_lifecycle import ENDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue


class WebhookKind(StrEnum):
    """What an endpoint can be told of."""

    SESSION_COMPLETED = "session.completed"
    SESSION_FAILED = "session.failed"
    SESSION_CANCELLED = "session.cancelled"
    SESSION_EXPIRED = "session.expired"
    ITEM_COMPLETED = "item.completed"
    ITEM_FAILED = "item.failed"


_KINDS: Final[Mapping[object, WebhookKind]] = MappingProxyType(
    {str(kind): kind for kind in WebhookKind}
)
ENDINGS: Final = frozenset(WebhookKind(f"session.{state}") for state in ENDED)
"""What tells how a session ended."""


def kind_of(event: EventKind, data: Mapping[str, JsonValue]) -> WebhookKind | None:
    """As what an event is told outside; None for what is not.

    Of items that end because their session does, the session's own end tells.
    """
    if event is EventKind.PROGRESS:
        return None
    subject = "session" if event is EventKind.STATE else "item"
    return _KINDS.get(f"{subject}.{data['state']}")
