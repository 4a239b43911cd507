"""What the services need from the world, as protocols; `resources` picks who provides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from gateway.domain.images import Picture
from gateway.domain.jobs import Job, ModelState, Prediction, Progress
from gateway.domain.results import StoredResult
from gateway.domain.uploads import Upload

OnProgress = Callable[[Progress], None]


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Unix time in seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring."""
        ...


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

    async def refresh(self) -> None:
        """Look at every model's state anew."""
        ...


class ObjectStore(Protocol):
    """A place for bytes under keys of our own."""

    async def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store new bytes; a key is never written twice. Raises StorageFailed."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The bytes, or None when there are none. Raises StorageFailed."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under this key. Raises StorageFailed."""
        ...

    async def delete(self, key: str) -> None:
        """Erase the bytes, if there are any. Raises StorageFailed."""
        ...

    def keys(self, folder: str) -> AsyncIterator[str]:
        """Every key below a folder. Raises StorageFailed."""
        ...


class ResultMemo(Protocol):
    """Remembers for a while which request gave which result."""

    def get(self, key: str) -> StoredResult | None:
        """The result of the same request, if it is remembered."""
        ...

    def put(self, key: str, result: StoredResult) -> None:
        """Remember a result."""
        ...

    def forget(self, key: str) -> None:
        """Drop what is remembered under this key."""
        ...


class PictureDecoder(Protocol):
    """Decodes uploads beside the event loop, a bounded number at a time."""

    async def photo(self, upload: Upload) -> Picture:
        """Normalise a photo; raises what `domain.images.normalise` raises, or Busy."""
        ...

    async def mask(self, upload: Upload, person: Picture) -> Picture:
        """Normalise a mask; raises what `domain.images.normalise_mask` raises, or Busy."""
        ...
