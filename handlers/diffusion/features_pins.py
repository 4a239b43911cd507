"""Garments that stay: a shop's catalogue, which others' uploads must not push out."""

import threading
from collections.abc import Mapping
from typing import Protocol

from handlers.errors import PinsFull


class Ledger(Protocol):
    """Where pins survive a restart."""

    def pins(self) -> Mapping[str, int]:
        """Give the pinned garments, and how many bytes each may take."""
        ...

    def write_pin(self, record: str, nbytes: int) -> None:
        """Write a pin down."""
        ...

    def remove_pin(self, record: str) -> None:
        """Strike a pin out; one that is not there is no error."""
        ...


class Pins:
    """Pinned garments by record, `budget_bytes` of them at most; safe for any number of threads."""

    def __init__(self, budget_bytes: int, ledger: Ledger | None = None) -> None:
        self._budget_bytes = budget_bytes
        self._ledger = ledger
        self._lock = threading.Lock()
        self._pinned = dict(ledger.pins()) if ledger else {}

    def __contains__(self, record: str) -> bool:
        return record in self._pinned

    def __len__(self) -> int:
        """How many garments are pinned."""
        return len(self._pinned)

    @property
    def nbytes(self) -> int:
        """How many bytes pinned garments take, or will when all their timesteps are there."""
        return sum(self._pinned.values())

    def add(self, record: str, nbytes: int) -> None:
        """Pin a garment that takes `nbytes`, or correct how many it takes.

        Raises PinsFull where it would be too many, and then nothing has changed.
        """
        with self._lock:
            others = self.nbytes - self._pinned.get(record, 0)
            if others + nbytes > self._budget_bytes:
                room = {"needed_bytes": nbytes, "free_bytes": max(self._budget_bytes - others, 0)}
                raise PinsFull("There is no room for another pinned garment.", room)
            self._pinned[record] = nbytes
        if self._ledger:
            self._ledger.write_pin(record, nbytes)

    def remove(self, record: str) -> bool:
        """Let a garment go as others do, and say whether it was pinned."""
        with self._lock:
            was_pinned = self._pinned.pop(record, None) is not None
        if self._ledger:
            self._ledger.remove_pin(record)
        return was_pinned
