"""Puts together who may ask how often: the one place that picks adapters for it."""

from contextlib import AsyncExitStack

from gateway.adapters.breaker import Breakers
from gateway.adapters.limiter import open_limiter, own_buckets
from gateway.metrics import Metrics
from gateway.services.audit import AuditService
from gateway.services.budgets import BudgetService
from gateway.services.limits import LimitService
from gateway.settings.limits import LimitSettings


async def open_limits(
    told: LimitSettings,
    breakers: Breakers,
    budgets: BudgetService,
    audit: AuditService,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> LimitService:
    """What counts requests."""
    opened = open_limiter(told, breakers, metrics.limits_alone.inc)
    limiter = await stack.enter_async_context(opened)
    meter = own_buckets(told.max_buckets)
    return LimitService(limiter, meter, told.rates, budgets, audit, metrics)
