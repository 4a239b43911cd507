"""Who may go on, and what is written down of whoever may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from gateway.domain.limits import Bucket, Limit, Rate, Rates, Spent, buckets_of, home_of
from gateway.services.audit import AuditService, Visitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.domain.budgets import Budget
    from gateway.domain.identity import Caller
    from gateway.metrics import Metrics
    from gateway.ports.limits import Limiter
    from gateway.services.budgets import BudgetService

_AUDITED: Final = Rate(6)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: by whom (None: somebody who was refused), from where, and for what."""

    caller: Caller | None
    limit: Limit
    visitor: Visitor
    endpoint: str


class LimitService:
    """Takes a request's tokens, and writes down each violation.

    Each is a line of the log, and counted. In the database are of each bucket only a few a minute,
    as `meter` lets pass: whoever floods the gateway must not flood that, too.
    """

    def __init__(
        self,
        limiter: Limiter,
        meter: Limiter,
        rates: Rates,
        budgets: BudgetService,
        audit: AuditService,
        metrics: Metrics,
    ) -> None:
        self._limiter = limiter
        self._meter = meter
        self._rates = rates
        self._budgets = budgets
        self._audit = audit
        self._metrics = metrics

    async def spend(self, asked: Asked, tokens: int = 1) -> Sequence[Spent]:
        """Take so many tokens of each of the caller's buckets, until one has too few.

        That one is the last of the answer then, and `is_over`.
        """
        spent = []
        for bucket in self._buckets(asked):
            spent.append(await self._limiter.spend(bucket, tokens))
            if spent[-1].is_over:
                await self._note(asked, bucket, spent[-1].retry_s)
                break
        return spent

    async def budget(self, asked: Asked) -> Budget | None:
        """How the budget of the caller's key stands, if it has one; raises DatabaseFailed."""
        caller = asked.caller
        if caller is None or caller.key_id is None:
            return None
        budget = await self._budgets.of(caller)
        if budget is not None and budget.is_spent:
            whose = Bucket(asked.limit, caller.key_id, _AUDITED)
            await self._note(asked, whose, budget.reset_s)
        return budget

    def most(self, asked: Asked) -> int | None:
        """So many tokens a caller could have at once; None where nothing limits him."""
        return min((bucket.rate.burst for bucket in self._buckets(asked)), default=None)

    def _buckets(self, asked: Asked) -> Sequence[Bucket]:
        address = asked.visitor.address
        if asked.caller is None:
            return (Bucket(Limit.ANONYMOUS, home_of(address), self._rates.anonymous),)
        return buckets_of(asked.caller, asked.limit, address, self._rates)

    async def _note(self, asked: Asked, bucket: Bucket, retry_s: float) -> None:
        limit, caller = bucket.limit, "" if asked.caller is None else asked.caller.owner
        self._metrics.limited.labels(limit).inc()
        structlog.get_logger(__name__).warning(
            "limit exceeded",
            limit=limit,
            user_id=caller,
            address=asked.visitor.address,
            endpoint=asked.endpoint,
            retry_s=round(retry_s, 3),
        )
        metered = Bucket(limit, bucket.owner, _AUDITED)
        if not (await self._meter.spend(metered)).is_over:
            detail = {"endpoint": asked.endpoint}
            await self._audit.record("limit.exceeded", caller, asked.visitor, limit, detail)
