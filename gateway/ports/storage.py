"""Where pictures and results are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from typing import Protocol

from gateway.domain.results import StoredResult


class ObjectStore(Protocol):
    """A place for bytes under keys of our own."""

    async def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store new bytes; a key is never written twice. Raises StorageFailed."""
        ...

    def writer(self, key: str) -> Callable[[bytes], None] | None:
        """What stores new bytes at once, in any thread, as `put` does; None where that takes long.

        It raises StorageFailed.
        """
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

    async def clear_unfinished(self) -> int:
        """Erase what was never finished and is old; how much. Raises StorageFailed."""
        ...


class ResultMemo(Protocol):
    """Remembers for a while which request gave which result."""

    def get(self, key: str) -> StoredResult | None:
        """The result of the same request, if it is remembered."""
        ...

    def put(self, key: str, result: StoredResult) -> None:
        """Remember a result."""
        ...

    def names(self) -> Collection[str]:
        """The pictures of every result that is remembered; what is too old is dropped first."""
        ...

    def drop(self, names: Collection[str]) -> int:
        """Drop every result that has one of these pictures; how many there were."""
        ...
