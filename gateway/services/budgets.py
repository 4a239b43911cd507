"""What API keys cost: charged when an engine has done its work, and asked before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.domain.budgets import Budget, gpu_s_of, until_tomorrow_s
from gateway.errors.kinds import DatabaseFailed

if TYPE_CHECKING:
    from gateway.domain.identity import Caller
    from gateway.domain.jobs import Job, ModelState, Prediction
    from gateway.ports.clock import Clock
    from gateway.ports.limits import Purse
    from gateway.ports.models import Models, OnProgress


class BudgetService:
    """Knows what is left of each key's GPU seconds, as all gateways together have spent them."""

    def __init__(self, purse: Purse, clock: Clock) -> None:
        self._purse = purse
        self._clock = clock

    async def of(self, caller: Caller) -> Budget | None:
        """How the caller's budget stands; None for who has none. Raises DatabaseFailed."""
        gpu_s = caller.limits.gpu_s_per_day
        if caller.key_id is None or gpu_s is None:
            return None
        spent_s = await self._purse.spent_s(caller.key_id)
        return Budget(gpu_s, spent_s, until_tomorrow_s(self._clock.now()))

    async def charge(self, payer: str, gpu_s: float) -> None:
        """Charge an API key; never raises.

        What the database does not take is in the log alone: nobody loses his picture over it.
        """
        try:
            await self._purse.charge(payer, gpu_s)
        except DatabaseFailed:
            log = structlog.get_logger(__name__)
            log.warning("a charge is in this log alone", key_id=payer, gpu_s=round(gpu_s, 3))


class ChargedModels:
    """Implements the Models port: whoever has an inference made by a model pays for it."""

    def __init__(self, models: Models, budgets: BudgetService, clock: Clock) -> None:
        self._models = models
        self._budgets = budgets
        self._clock = clock

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        """Run one inference, and charge its payer when it is done."""
        started = self._clock.monotonic()
        prediction = await self._models.predict(job, on_progress)
        if job.payer is not None:
            took_s = self._clock.monotonic() - started
            await self._budgets.charge(job.payer, gpu_s_of(prediction.metadata, took_s))
        return prediction

    def state(self, model: str) -> ModelState:
        """The model's state as last seen."""
        return self._models.state(model)

    def version_for(self, model: str, request_id: str) -> str | None:
        """The version that a request goes to; None while none is known."""
        return self._models.version_for(model, request_id)

    async def refresh(self) -> None:
        """Look at every model's state anew."""
        await self._models.refresh()
