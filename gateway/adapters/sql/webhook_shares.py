"""Which messages are taken next, when more are due than can be under way at once.

A receiver that never answers holds its places for as long as a try may take, and its messages grow
old: by age alone it would soon have every place. So each endpoint and each owner has a share, and
the owner with the fewest under way goes first; among his own, the oldest message does.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, select

from gateway.adapters.sql.webhook_tables import webhook_deliveries, webhook_endpoints
from gateway.domain.webhooks import DeliveryState, Errand, Shares


def due(shares: Shares, under_way: Collection[Errand], now: float) -> Select[Any]:
    """Messages to be taken at a Unix time, locked, with their endpoint's owner, URL and secrets.

    They are ranked without a lock, so what another gateway took meanwhile is left to it.
    """
    messages, told = webhook_deliveries.c, webhook_endpoints.c
    ranked = _by_owner(shares, under_way, now)
    return (
        select(webhook_deliveries, told.owner, told.url, told.secrets)
        .join(webhook_endpoints, told.id == messages.endpoint_id)
        .join(ranked, ranked.c.id == messages.id)
        .where(_is_due(now), ranked.c.place <= shares.per_owner)
        .order_by(ranked.c.place, messages.not_before, messages.id)
        .limit(shares.at_once - len(under_way))
        .with_for_update(skip_locked=True, of=webhook_deliveries)
    )


def _by_owner(shares: Shares, under_way: Collection[Errand], now: float) -> Subquery:
    """Messages within their endpoint's share, each with its place among its owner's."""
    held = Counter(one.owner for one in under_way)
    ranked = _by_endpoint(shares, under_way, now)
    place = _place(ranked.c.owner, held, (ranked.c.not_before, ranked.c.id))
    return (
        select(ranked.c.id, place.label("place"))
        .where(ranked.c.place <= shares.per_endpoint)
        .subquery()
    )


def _by_endpoint(shares: Shares, under_way: Collection[Errand], now: float) -> Subquery:
    """Messages that are due, each with its place among its endpoint's.

    Whoever has his share is left out first, as his may be a backlog, which is long to sort.
    """
    messages, told = webhook_deliveries.c, webhook_endpoints.c
    held = Counter(one.endpoint_id for one in under_way)
    owners = Counter(one.owner for one in under_way)
    place = _place(messages.endpoint_id, held, (messages.not_before, messages.id))
    return (
        select(messages.id, messages.not_before, told.owner, place.label("place"))
        .join(webhook_endpoints, told.id == messages.endpoint_id)
        .where(
            _is_due(now),
            told.disabled.is_(None),
            told.id.not_in(_full(held, shares.per_endpoint)),
            told.owner.not_in(_full(owners, shares.per_owner)),
        )
        .subquery()
    )


def _place(
    whose: ColumnElement[str], held: Counter[str], oldest: tuple[ColumnElement[Any], ...]
) -> ColumnElement[int]:
    """A message's place among those of one, 1 the first, behind what is under way."""
    before = case(dict(held), value=whose, else_=0) if held else literal(0)
    return before + func.row_number().over(partition_by=whose, order_by=oldest)


def _full(held: Counter[str], share: int) -> list[str]:
    return [one for one, messages in held.items() if messages >= share]


def _is_due(now: float) -> ColumnElement[bool]:
    messages = webhook_deliveries.c
    return and_(messages.state == DeliveryState.WAITING.value, messages.not_before <= now)
