"""Models of several places behind one Models port: those elsewhere by name, all others here."""

import asyncio
from collections.abc import Mapping

from gateway.adapters.torchserve_hosts import TorchServeHosts
from gateway.domain.jobs import Job, ModelState, Prediction
from gateway.ports.models import Models, OnProgress


class RoutedModels:
    """Asks whoever has the model; `elsewhere` are those that are not `here`."""

    def __init__(self, here: TorchServeHosts, elsewhere: Mapping[str, Models]) -> None:
        self._here = here
        self._elsewhere = dict(elsewhere)

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        """Run one inference where the model is."""
        return await self._of(job.model).predict(job, on_progress)

    def state(self, model: str) -> ModelState:
        """The model's state as last seen."""
        return self._of(model).state(model)

    def version_for(self, model: str, request_id: str) -> str | None:
        """The version that a request goes to; None while none is known."""
        return self._of(model).version_for(model, request_id)

    async def refresh(self) -> None:
        """Look at every model's state anew, everywhere."""
        everyone = (self._here, *self._elsewhere.values())
        await asyncio.gather(*(models.refresh() for models in everyone))

    async def tell(self, job: Job) -> int | None:
        """Ask every worker once; those elsewhere keep nothing that this gateway could reach."""
        return 0 if job.model in self._elsewhere else await self._here.tell(job)

    def _of(self, model: str) -> Models:
        return self._elsewhere.get(model, self._here)
