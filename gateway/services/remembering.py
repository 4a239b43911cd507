"""Remembers what was found for a while: fresh first, then good enough while nothing else is had."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.ports.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recalled(Generic[T]):
    """What was found before; `is_fresh` while it answers a repeat."""

    value: T
    is_fresh: bool


class Remembering(Generic[T]):
    """So many entries at most, in this process; the least recently used goes first."""

    def __init__(self, clock: Clock, fresh_s: float, stale_s: float, entries: int) -> None:
        self._clock = clock
        self._fresh_s = fresh_s
        self._stale_s = max(fresh_s, stale_s)
        self._most = entries
        self._entries: OrderedDict[tuple[str, str], tuple[float, T]] = OrderedDict()

    def recall(self, owner: str, key: str) -> Recalled[T] | None:
        """What is remembered under an owner's key, if it is not too old."""
        entry = self._entries.get((owner, key))
        if entry is None:
            return None
        age_s = self._clock.monotonic() - entry[0]
        if age_s >= self._stale_s:
            del self._entries[owner, key]
            return None
        self._entries.move_to_end((owner, key))
        return Recalled(entry[1], age_s < self._fresh_s)

    def remember(self, owner: str, key: str, value: T) -> None:
        """Remember, from now on."""
        self._entries[owner, key] = (self._clock.monotonic(), value)
        self._entries.move_to_end((owner, key))
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def forget(self, owner: str) -> int:
        """Drop whatever is an owner's; how much there was."""
        dropped = [key for key in self._entries if key[0] == owner]
        for key in dropped:
            del self._entries[key]
        return len(dropped)

    def expire(self) -> None:
        """Drop what is too old, asked for or not."""
        now = self._clock.monotonic()
        for key in [k for k, (at, _) in self._entries.items() if now - at >= self._stale_s]:
            del self._entries[key]
