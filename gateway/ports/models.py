"""What the services need of the models, of their versions and of the traffic to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.domain.jobs import Job, ModelState, Prediction, Progress
from gateway.domain.versions import Archive, Registered, Split, Tally

OnProgress = Callable[[Progress], None]


class Models(Protocol):
    """A model server."""

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        """Run one inference.

        Raises ModelNotLoaded, NotDeployed, InferenceFailed, OutOfMemory, BadDimensions, Unfit,
        InvalidInput, Busy or TimedOut.
        """
        ...

    def state(self, model: str) -> ModelState:
        """The model's state as last seen; never waits."""
        ...

    def version_for(self, model: str, request_id: str) -> str | None:
        """The version that a request goes to; None while none is known."""
        ...

    async def refresh(self) -> None:
        """Look at every model's state anew."""
        ...


class Traffic(Protocol):
    """Who is on which version of a model, as far as this gateway sent them there."""

    def share_out(self, model: str, split: Split | None) -> None:
        """Let a share of a model's requests try a version; None: all go to the default."""
        ...

    def split(self, model: str) -> Split | None:
        """How a model's requests are shared out now."""
        ...

    def in_flight(self, model: str, version: str) -> int:
        """How many requests of this gateway a version is at work on."""
        ...

    def tally(self, model: str, version: str) -> Tally:
        """What has become of a version's requests since the counts were last cleared."""
        ...

    def clear(self, model: str) -> None:
        """Begin to count a model's ended requests anew."""
        ...


class VersionControl(Protocol):
    """A model server's versions.

    Every method raises ModelNotLoaded when the server does not answer, VersionRefused when it
    refuses.
    """

    async def versions(self, model: str) -> tuple[Registered, ...]:
        """Every version of a model that is registered, the default one first; () for none."""
        ...

    async def register(self, archive: Archive) -> None:
        """Register an archive; a version that is registered already stays as it is."""
        ...

    async def scale(self, model: str, version: str, workers: int) -> None:
        """Have so many workers; they get ready later."""
        ...

    async def make_default(self, model: str, version: str) -> None:
        """Send whatever names no version to this one, from now on."""
        ...

    async def unregister(self, model: str, version: str) -> None:
        """End a version's workers, whatever they are at; one that is gone is gone."""
        ...


class ModelStore(Protocol):
    """Archives that may be served; raises InvalidInput for one that is not there or not genuine."""

    async def by_version(self, model: str, version: str) -> Archive:
        """The archive that holds this version of a model."""
        ...

    async def by_name(self, model: str, name: str) -> Archive:
        """The archive of this file name, which must hold this model."""
        ...
