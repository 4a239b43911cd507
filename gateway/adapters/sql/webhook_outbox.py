"""Messages to endpoints: written in the transaction of what they tell of, delivered afterwards.

Taking a message moves its next time past the end of the try, so whoever dies with it loses it to
others by itself; an attempt is a fencing token, as in the queue of sessions.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from secrets import token_hex
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, union_all, update

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.webhook_shares import due
from gateway.adapters.sql.webhook_tables import webhook_deliveries, webhook_endpoints
from gateway.domain.sessions_webhooks import ENDINGS
from gateway.domain.webhooks import (
    DeliveryState,
    Errand,
    Secret,
    Shares,
    Tried,
    event_body,
    parting_body,
)
from gateway.ports.clock import Clock

_GONE: Final = "gone"


def enqueue(
    connection: Connection,
    owner: str,
    session_id: str | None,
    kind: str,
    data: Mapping[str, JsonValue],
    now: float,
) -> int:
    """Write a message for each endpoint that wants to be told; how many there are."""
    told = webhook_endpoints.c
    wanting = select(told.id, told.kinds).where(told.owner == owner, told.disabled.is_(None))
    interested = [wanting.where(told.session_id.is_(None))]
    if session_id is not None:
        # Not by `or_`: of an owner with an endpoint for each session, all would be read.
        interested.append(wanting.where(told.session_id == session_id))
    endpoints = connection.execute(union_all(*interested)).all()
    rows = [
        {
            "id": f"msg_{token_hex(16)}",
            "endpoint_id": endpoint.id,
            "session_id": session_id,
            "kind": kind,
            "body": event_body(kind, now, data),
            "state": DeliveryState.WAITING.value,
            "attempt": 0,
            "tries": 0,
            "created_at": now,
            "not_before": now,
        }
        for endpoint in endpoints
        if not endpoint.kinds or kind in endpoint.kinds
    ]
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
    return len(rows)


def outlive(connection: Connection, session_id: str) -> None:
    """Let what is yet to be told of a session's end outlive it, saying that and no more.

    It is told to those who are told of every session; an endpoint of this one goes with it.
    """
    told, messages = webhook_endpoints.c, webhook_deliveries.c
    lasting = select(told.id).where(told.session_id.is_(None))
    waiting = select(messages.id, messages.body).where(
        messages.session_id == session_id,
        messages.state == DeliveryState.WAITING.value,
        messages.kind.in_(ENDINGS),
        messages.endpoint_id.in_(lasting),
    )
    for row in connection.execute(waiting.with_for_update()).all():
        parted = update(webhook_deliveries).where(messages.id == row.id)
        connection.execute(parted.values(session_id=None, body=parting_body(row.body)))


class SqlWebhookOutbox:
    """Implements the WebhookOutbox port; a message is back `lease_s` after it was taken."""

    def __init__(self, database: Database, clock: Clock, lease_s: float) -> None:
        self._database = database
        self._clock = clock
        self._lease_s = lease_s

    async def take(self, shares: Shares, under_way: Collection[Errand] = ()) -> Sequence[Errand]:
        """Take messages that are due, from whoever lost them, too; nobody more than his share."""
        if len(under_way) >= shares.at_once:
            return []
        take = partial(self._take, shares, under_way)
        return await self._database.write(take, goes_first=True)

    async def settle(self, errand: Errand, tried: Tried) -> bool:
        """Write down what came of a try; whether the message was still this deliverer's."""
        return await self._database.write(partial(self._settle, errand, tried), goes_first=True)

    def _take(
        self, shares: Shares, under_way: Collection[Errand], connection: Connection
    ) -> Sequence[Errand]:
        now = self._clock.now()
        rows = connection.execute(due(shares, under_way, now)).all()
        taken = (
            update(webhook_deliveries)
            .where(webhook_deliveries.c.id.in_([row.id for row in rows]))
            .values(attempt=webhook_deliveries.c.attempt + 1, not_before=now + self._lease_s)
        )
        if rows:
            connection.execute(taken)
        return [_errand(row) for row in rows]

    def _settle(self, errand: Errand, tried: Tried, connection: Connection) -> bool:
        now = self._clock.now()
        settled = update(webhook_deliveries).where(_is_still(errand)).values(_after(tried, now))
        is_ours = connection.execute(settled).rowcount == 1
        if is_ours and tried.is_gone:
            _disable(connection, errand.endpoint_id, now)
        return is_ours


def _disable(connection: Connection, endpoint_id: str, now: float) -> None:
    """Tell an endpoint nothing any more; what waits for it has failed."""
    told, messages = webhook_endpoints, webhook_deliveries
    connection.execute(update(told).where(told.c.id == endpoint_id).values(disabled=_GONE))
    waiting = messages.c.state == DeliveryState.WAITING.value
    connection.execute(
        update(messages)
        .where(messages.c.endpoint_id == endpoint_id, waiting)
        .values(state=DeliveryState.FAILED.value, ended_at=now, last_error="disabled")
    )


def _errand(row: Row[Any]) -> Errand:
    return Errand(
        message_id=row.id,
        attempt=row.attempt + 1,
        tries=row.tries,
        owner=row.owner,
        endpoint_id=row.endpoint_id,
        url=row.url,
        secrets=tuple(Secret(**secret) for secret in row.secrets),
        body=row.body,
    )


def _is_still(errand: Errand) -> ColumnElement[bool]:
    messages = webhook_deliveries.c
    return and_(
        messages.id == errand.message_id,
        messages.attempt == errand.attempt,
        messages.state == DeliveryState.WAITING.value,
    )


def _after(tried: Tried, now: float) -> dict[str, object]:
    """The columns of a message after a try."""
    values: dict[str, object] = {
        "tries": webhook_deliveries.c.tries + 1,
        "last_status": tried.status,
        "last_error": tried.error,
    }
    if not tried.is_accepted and tried.wait_s is not None:
        return values | {"not_before": now + tried.wait_s}
    state = DeliveryState.DELIVERED if tried.is_accepted else DeliveryState.FAILED
    return values | {"state": state.value, "ended_at": now}
