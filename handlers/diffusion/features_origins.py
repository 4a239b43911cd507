"""Of which pictures the features of garments were made, so that they go when those are forgotten.

Pinned garments, a shop's catalogue, stay; all others leave at an age, too.
"""

import math
import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from handlers.cache import Shunned

if TYPE_CHECKING:
    from handlers.diffusion.features_store import FeatureStore


class Origins:
    """Garments by record: since when they are known, and of which pictures; for any threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_age_s = math.inf
        self._clock = clock
        self._born_s: dict[str, float] = {}
        self._of: dict[str, set[str]] = {}
        self._shunned = Shunned(clock)
        self._lock = threading.Lock()

    def note(self, record: str, of: Collection[str] = ()) -> None:
        """Remember that a garment is known, and which pictures it was made of."""
        with self._lock:
            self._born_s.setdefault(record, self._clock())
            self._of.setdefault(record, set()).update(of)

    def may_keep(self, record: str) -> bool:
        """Note a garment, and say whether it may be kept: not if it was just forgotten."""
        with self._lock:
            if self._shunned.has_any([record]):
                return False
        self.note(record)
        return True

    def of(self, pictures: Collection[str]) -> list[str]:
        """Give the garments that were made of these pictures."""
        asked = set(pictures)
        with self._lock:
            return [record for record, of in self._of.items() if of & asked]

    def aged(self) -> list[str]:
        """Give the garments that have been known for too long."""
        with self._lock:
            since_s = self._clock() - self.max_age_s
            return [record for record, born_s in self._born_s.items() if born_s <= since_s]

    def drop(self, record: str, *, is_shunned: bool = False) -> None:
        """Know a garment no more; shunned, it is not kept again for a while."""
        with self._lock:
            self._born_s.pop(record, None)
            self._of.pop(record, None)
            if is_shunned:
                self._shunned.add([record])


def forget_pictures(store: "FeatureStore", pictures: Collection[str]) -> int:
    """Drop the features of unpinned garments that were made of these; how many garments."""
    found = [record for record in store.origins.of(pictures) if record not in store.pins]
    for record in found:
        store.origins.drop(record, is_shunned=True)
        store.forget(record)
    return len(found)


def sweep(store: "FeatureStore") -> None:
    """Drop the features of unpinned garments that are too old."""
    for record in store.origins.aged():
        if record not in store.pins:
            store.origins.drop(record)
            store.forget(record)
