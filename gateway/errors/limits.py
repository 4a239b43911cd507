"""What is refused because it is too much for one caller."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gateway.errors.codes import ErrorCode
from gateway.errors.kinds import GatewayError

if TYPE_CHECKING:
    from gateway.domain.budgets import Budget


class RateLimited(GatewayError):
    """More requests than the limit lets pass; Retry-After says when the next one would."""

    code = ErrorCode.RATE_LIMITED
    default_message = "Too many requests: slow down."

    @classmethod
    def of(cls, limit: str, per_min: int, retry_s: float) -> RateLimited:
        """Build the error for a limit."""
        wait_s = max(1, math.ceil(retry_s))
        return cls(
            details={"limit": limit, "per_min": per_min, "retry_after_s": wait_s},
            headers={"Retry-After": str(wait_s)},
        )


class SessionsFull(GatewayError):
    """The caller has as many sessions under way as he may have; `details` say how many."""

    code = ErrorCode.SESSIONS_FULL
    default_message = "Too many sessions are under way: wait for one to end, or cancel one."
    retry_after_s = 5


class WatchersFull(GatewayError):
    """As many watch one session, or the sessions of one user, as may; `details` say how many."""

    code = ErrorCode.WATCHERS_FULL
    default_message = "Too many watch this already: close a stream, or ask how it stands."
    retry_after_s = 5


class BudgetSpent(GatewayError):
    """An API key has cost its GPU seconds of the day; Retry-After says when the next one begins."""

    code = ErrorCode.BUDGET_SPENT
    default_message = (
        "This API key's GPU seconds of today are spent: tomorrow (UTC) brings new ones."
    )

    @classmethod
    def of(cls, budget: Budget) -> BudgetSpent:
        """Build the error for a budget."""
        wait_s = max(1, math.ceil(budget.reset_s))
        return cls(
            details={
                "gpu_s_per_day": budget.gpu_s,
                "gpu_s_today": round(budget.spent_s, 3),
                "retry_after_s": wait_s,
            },
            headers={"Retry-After": str(wait_s)},
        )
