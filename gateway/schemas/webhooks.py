"""What is asked and answered about webhooks over HTTP."""

from datetime import UTC, datetime

from pydantic import Field

from gateway.domain.sessions_webhooks import WebhookKind
from gateway.domain.webhooks import Delivery, DeliveryState, Endpoint
from gateway.schemas.requests import Strict

_LONGEST_URL = 2048


class WebhookBody(Strict):
    """Where to tell of what."""

    url: str = Field(max_length=_LONGEST_URL, description="http or https, not a private address")
    events: list[WebhookKind] = Field(default=[], description="none: all of them")


class WebhookResponse(Strict):
    """An endpoint."""

    webhook_id: str
    url: str
    events: list[WebhookKind] = Field(description="none: all of them")
    session_id: str | None = Field(description="it is told of this session alone")
    created_at: datetime
    disabled: str | None = Field(description="why it is told nothing any more")
    secret: str | None = Field(description="verifies what it is told; shown when it is new")


class WebhooksResponse(Strict):
    """The caller's endpoints, the oldest first."""

    webhooks: list[WebhookResponse]


class DeliveryResponse(Strict):
    """A message to an endpoint, and how it fares."""

    message_id: str
    webhook_id: str
    session_id: str | None
    event: str
    state: DeliveryState
    tries: int
    created_at: datetime
    next_try_at: datetime | None
    ended_at: datetime | None
    last_status: int | None
    last_error: str | None


class DeliveriesResponse(Strict):
    """Messages, the newest first."""

    deliveries: list[DeliveryResponse]


def webhook_described(endpoint: Endpoint, *, is_new: bool = False) -> WebhookResponse:
    """An endpoint; its newest secret only where it is new."""
    return WebhookResponse(
        webhook_id=endpoint.endpoint_id,
        url=endpoint.url,
        events=[WebhookKind(kind) for kind in endpoint.kinds],
        session_id=endpoint.session_id,
        created_at=_at(endpoint.created_at),
        disabled=endpoint.disabled,
        secret=endpoint.secrets[0].secret if is_new and endpoint.secrets else None,
    )


def delivery_described(one: Delivery) -> DeliveryResponse:
    """A message."""
    is_waiting = one.state is DeliveryState.WAITING
    return DeliveryResponse(
        message_id=one.message_id,
        webhook_id=one.endpoint_id,
        session_id=one.session_id,
        event=one.kind,
        state=one.state,
        tries=one.tries,
        created_at=_at(one.created_at),
        next_try_at=_at(one.not_before) if is_waiting else None,
        ended_at=None if one.ended_at is None else _at(one.ended_at),
        last_status=one.last_status,
        last_error=one.last_error,
    )


def _at(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
