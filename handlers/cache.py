"""Bounded memory of analysed pictures, keyed by content.

The least recently used entry leaves first; equal questions asked at once are computed once.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class Sized(Protocol):
    """A value that knows how much memory it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ...


V = TypeVar("V", bound=Sized)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counters:
    """What a cache has done since it was made, and what it holds now."""

    hits: int
    misses: int
    evictions: int
    entries: int
    held_bytes: int

    def gauges(self, kind: str) -> dict[str, float]:
        """Give them by metric name, `kind` being what the cache holds."""
        return {
            f"vton_{kind}_cache_hits": self.hits,
            f"vton_{kind}_cache_misses": self.misses,
            f"vton_{kind}_cache_evictions": self.evictions,
            f"vton_{kind}_cache_bytes": self.held_bytes,
        }


def content_key(pixels: NDArray[np.uint8], *parts: str) -> str:
    """Name a picture by what it shows: sha256 of pixels, shape and whatever else matters."""
    digest = hashlib.sha256(repr((pixels.shape, parts)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


class LruCache(Generic[V]):
    """Least-recently-used cache of at most `capacity_bytes`; safe for any number of threads.

    A value larger than the whole capacity is returned but not kept.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._underway: dict[Hashable, Future[V]] = {}
        self._lock = threading.Lock()
        self._held_bytes = self._hits = self._misses = self._evictions = 0

    def get_or_compute(self, key: Hashable, compute: Callable[[], V]) -> tuple[V, bool]:
        """Give the value of `key` and whether it was there: a hit, or somebody else's computing.

        Runs `compute` at most once per absent key at a time. Its error goes to everybody who
        waits for it and is not kept.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                self._hits += 1
                return self._kept[key][0], True
            waiting = self._underway.get(key)
            if waiting is None:
                self._misses += 1
                mine: Future[V] = Future()
                self._underway[key] = mine
            else:
                self._hits += 1
        if waiting is not None:
            return waiting.result(), True
        return self._settle(key, mine, compute), False

    def counters(self) -> Counters:
        """Read the counters at one instant."""
        with self._lock:
            return Counters(
                self._hits, self._misses, self._evictions, len(self._kept), self._held_bytes
            )

    def keys(self) -> list[Any]:
        """Give the kept keys, the next to leave first."""
        with self._lock:
            return list(self._kept)

    def _settle(self, key: Hashable, mine: Future[V], compute: Callable[[], V]) -> V:
        try:
            value = compute()
        except BaseException as error:
            with self._lock:
                del self._underway[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._underway[key]
            self._keep(key, value)
        mine.set_result(value)
        return value

    def _keep(self, key: Hashable, value: V) -> None:
        size_bytes = value.nbytes
        if size_bytes > self._capacity_bytes:
            return
        self._kept[key] = (value, size_bytes)
        self._held_bytes += size_bytes
        while self._held_bytes > self._capacity_bytes:
            _, (_, freed_bytes) = self._kept.popitem(last=False)
            self._held_bytes -= freed_bytes
            self._evictions += 1


class Once(Generic[T]):
    """A value that is made when somebody first asks for it, once however many ask."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = []

    def get(self) -> T:
        """Give the value; what making it raises goes to the caller, and the next tries again."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]
