"""Remembers results in this process: bounded, and each for a limited time."""

from collections import OrderedDict
from collections.abc import Collection

from gateway.domain.results import StoredResult
from gateway.ports.clock import Clock


class MemoryResultMemo:
    """Implements the ResultMemo port; the least recently used entry goes first."""

    def __init__(self, clock: Clock, ttl_s: float, max_entries: int) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._entries: OrderedDict[str, tuple[float, StoredResult]] = OrderedDict()

    def get(self, key: str) -> StoredResult | None:
        """The result of the same request, if it is remembered and not too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        forget_at, result = entry
        if self._clock.now() >= min(forget_at, result.expires_at):
            self.forget(key)
            return None
        self._entries.move_to_end(key)
        return result

    def put(self, key: str, result: StoredResult) -> None:
        """Remember a result; the oldest is forgotten when there is no room."""
        self._entries[key] = (self._clock.now() + self._ttl_s, result)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        """Drop what is remembered under this key."""
        self._entries.pop(key, None)

    def names(self) -> Collection[str]:
        """The pictures of every result that is remembered; what is too old is dropped first."""
        for key in list(self._entries):
            forget_at, result = self._entries[key]
            if self._clock.now() >= min(forget_at, result.expires_at):
                self.forget(key)
        return {name for _, result in self._entries.values() for name in result.names}

    def drop(self, names: Collection[str]) -> int:
        """Drop every result that has one of these pictures; how many there were."""
        gone = set(names)
        found = [key for key, (_, one) in self._entries.items() if gone.intersection(one.names)]
        for key in found:
            self.forget(key)
        return len(found)

    def __len__(self) -> int:
        return len(self._entries)
