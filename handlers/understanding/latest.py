"""What was found out about a photo last, for the next who asks about the same one."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from handlers.cache import content_key
from handlers.understanding.contract import PersonDetector

T = TypeVar("T")


class Latest(Generic[T]):
    """The answer about one photo; one thread looks at a time, the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[str, T] | None = None

    def get(self, rgb: NDArray[np.uint8], look: Callable[[], T]) -> T:
        """Give what `look` finds in a (H, W, 3) photo, or found there last."""
        key = content_key(rgb)
        with self._lock:
            if self._kept is None or self._kept[0] != key:
                self._kept = (key, look())
            return self._kept[1]


class LatestPeople:
    """A PersonDetector that looks once at a photo that several parts ask it about."""

    def __init__(self, detector: PersonDetector) -> None:
        self._detector = detector
        self._latest: Latest[NDArray[np.float32]] = Latest()

    def people(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (N, 5) as the detector does."""
        return self._latest.get(rgb, lambda: self._detector.people(rgb))
