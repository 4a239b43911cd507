"""One tier of kept garment features: single timesteps come and go, under one record per garment.

Whose garment was asked for least recently loses timesteps first, a pinned garment only to another
pinned one, and never does a garment lose its own to its next: one that is larger than the tier
keeps as many as fit, where each would else push out the one that is needed soonest.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")


class Address(NamedTuple):
    """What the garment network saw: which garment, as which model sees it, at which timestep."""

    record: str
    timestep: float


@dataclass(slots=True)
class Tally:
    """What a tier has done since it was made, and what it holds."""

    hits: int = 0
    evictions: int = 0
    held_bytes: int = 0


class Tier(Generic[V]):
    """At most `capacity_bytes` of values; not safe for several threads: its owner has a lock.

    `is_pinned` says of a record whether it stays before others; `left` is told what is evicted.
    """

    def __init__(
        self,
        capacity_bytes: int,
        is_pinned: Callable[[str], bool],
        left: Callable[[Address, V], None] = lambda _address, _value: None,
    ) -> None:
        self.capacity_bytes = capacity_bytes
        self.tally = Tally()
        self._is_pinned = is_pinned
        self._left = left
        self._records: OrderedDict[str, dict[float, tuple[V, int]]] = OrderedDict()

    def __contains__(self, address: Address) -> bool:
        return address.timestep in self._records.get(address.record, {})

    def __len__(self) -> int:
        """How many timesteps of garments are held."""
        return sum(map(len, self._records.values()))

    def get(self, address: Address) -> V | None:
        """Give a value, and remember that its garment was asked for."""
        if address in self:
            self._records.move_to_end(address.record)
        return self.peek(address)

    def peek(self, address: Address) -> V | None:
        """Give a value as if nobody had asked for it."""
        if address not in self:
            return None
        return self._records[address.record][address.timestep][0]

    def put(self, address: Address, value: V, nbytes: int) -> bool:
        """Keep a value, and say whether there was room for it."""
        if address in self:
            return True
        if not self._make_room(address.record, nbytes):
            return False
        self._records.setdefault(address.record, {})[address.timestep] = (value, nbytes)
        self._records.move_to_end(address.record)
        self.tally.held_bytes += nbytes
        return True

    def drop(self, address: Address) -> V | None:
        """Forget one value, which was not evicted."""
        if address not in self:
            return None
        held = self._records[address.record]
        value, nbytes = held.pop(address.timestep)
        self.tally.held_bytes -= nbytes
        if not held:
            del self._records[address.record]
        return value

    def clear(self) -> None:
        """Forget everything, and count anew."""
        self._records.clear()
        self.tally = Tally()

    def records(self) -> tuple[str, ...]:
        """Give the garments of which something is held."""
        return tuple(self._records)

    def timesteps(self, record: str) -> tuple[float, ...]:
        """Give the timesteps that are held of a garment."""
        return tuple(self._records.get(record, ()))

    def record_bytes(self, record: str) -> int:
        """Count what is held of a garment."""
        return sum(nbytes for _, nbytes in self._records.get(record, {}).values())

    def _make_room(self, record: str, nbytes: int) -> bool:
        free = self.capacity_bytes - self.tally.held_bytes
        victims = self._victims(record)
        if free + sum(map(self.record_bytes, victims)) < nbytes:
            return False
        for victim in victims:
            # The last come leaves first: what is left is a beginning, as long as it can be.
            for timestep in reversed(self.timesteps(victim)):
                if self.capacity_bytes - self.tally.held_bytes >= nbytes:
                    return True
                address = Address(victim, timestep)
                value = self.drop(address)
                self.tally.evictions += 1
                if value is not None:
                    self._left(address, value)
        return True

    def _victims(self, record: str) -> list[str]:
        """Who may lose to `record`, the first to lose first."""
        others = [one for one in self._records if one != record]
        free = [one for one in others if not self._is_pinned(one)]
        if not self._is_pinned(record):
            return free
        return free + [one for one in others if self._is_pinned(one)]
