"""Bounded memory of analysed pictures, keyed by content.

The least recently used entry leaves first, every entry leaves at an age, and at once when one of
the pictures that it was made of is forgotten; equal questions asked at once are computed once.
"""

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

_SHUNNED_S: Final = 120.0  # a request may be under way whose picture is forgotten


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
            f"vton_{kind}_cache_entries": self.entries,
            f"vton_{kind}_cache_bytes": self.held_bytes,
        }


def content_key(pixels: NDArray[np.uint8], *parts: str) -> str:
    """Name a picture by what it shows: sha256 of pixels, shape and whatever else matters."""
    digest = hashlib.sha256(repr((pixels.shape, parts)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def word(hit: bool) -> str:  # noqa: FBT001  a word for a flag
    """Say whether something was there, as answers tell it."""
    return "hit" if hit else "miss"


class Shunned:
    """Pictures that were forgotten a short while ago: nothing made of them is kept.

    Not safe for several threads: its owner has a lock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, names: Collection[str]) -> None:
        """Shun these from now on, and no longer those whose time is over."""
        now = self._clock()
        self._until = {name: until for name, until in self._until.items() if until > now}
        self._until |= dict.fromkeys(names, now + _SHUNNED_S)

    def has_any(self, names: Collection[str]) -> bool:
        """Say whether one of these is shunned."""
        return any(self._until.get(name, -math.inf) > self._clock() for name in names)


@dataclass(slots=True)
class _Entry(Generic[V]):
    """A kept value, when it was made, and of which pictures."""

    value: V
    size_bytes: int
    born_s: float
    of: set[str]


@dataclass(slots=True)
class _Underway(Generic[V]):
    """A value that is being computed, and of which pictures."""

    future: Future[V] = field(default_factory=Future)
    of: set[str] = field(default_factory=set)


class LruCache(Generic[V]):
    """Least-recently-used cache of at most `capacity_bytes`; safe for any number of threads.

    A value larger than the whole capacity is returned but not kept, and none is kept for longer
    than `max_age_s` after it was made.
    """

    def __init__(
        self,
        capacity_bytes: int,
        max_age_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity_bytes = capacity_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._kept: OrderedDict[Hashable, _Entry[V]] = OrderedDict()
        self._underway: dict[Hashable, _Underway[V]] = {}
        self._shunned = Shunned(clock)
        self._lock = threading.Lock()
        self._held_bytes = self._hits = self._misses = self._evictions = 0

    def get_or_compute(
        self, key: Hashable, compute: Callable[[], V], of: Collection[str] = ()
    ) -> tuple[V, bool]:
        """Give the value of `key` and whether it was there: a hit, or somebody else's computing.

        `of` names the pictures that it is made of, as `handlers.forgetting` does. Runs `compute` at
        most once per absent key at a time. Its error goes to everybody who waits and is not kept.
        """
        with self._lock:
            self._drop_aged()
            if key in self._kept:
                self._kept.move_to_end(key)
                self._hits += 1
                entry = self._kept[key]
                entry.of.update(of)
                return entry.value, True
            waiting = self._underway.get(key)
            if waiting is None:
                self._misses += 1
                mine = self._underway[key] = _Underway[V](of=set(of))
            else:
                self._hits += 1
                waiting.of.update(of)
        if waiting is not None:
            return waiting.future.result(), True
        return self._settle(key, mine, compute), False

    def forget(self, pictures: Collection[str]) -> int:
        """Drop every entry that one of these pictures went into; how many there were.

        What is made of them meanwhile, and for a while after, is not kept.
        """
        asked = set(pictures)
        with self._lock:
            self._shunned.add(asked)
            found = [key for key, entry in self._kept.items() if entry.of & asked]
            for key in found:
                self._drop(key)
        return len(found)

    def sweep(self) -> None:
        """Drop every entry that is too old."""
        with self._lock:
            self._drop_aged()

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

    def _settle(self, key: Hashable, mine: _Underway[V], compute: Callable[[], V]) -> V:
        try:
            value = compute()
        except BaseException as error:
            with self._lock:
                del self._underway[key]
            mine.future.set_exception(error)
            raise
        with self._lock:
            del self._underway[key]
            if not self._shunned.has_any(mine.of):
                self._keep(key, value, mine.of)
        mine.future.set_result(value)
        return value

    def _keep(self, key: Hashable, value: V, of: set[str]) -> None:
        size_bytes = value.nbytes
        if size_bytes > self._capacity_bytes:
            return
        self._kept[key] = _Entry(value, size_bytes, self._clock(), of)
        self._held_bytes += size_bytes
        while self._held_bytes > self._capacity_bytes:
            self._drop(next(iter(self._kept)))
            self._evictions += 1

    def _drop(self, key: Hashable) -> None:
        self._held_bytes -= self._kept.pop(key).size_bytes

    def _drop_aged(self) -> None:
        since_s = self._clock() - self._max_age_s
        for key in [key for key, entry in self._kept.items() if entry.born_s <= since_s]:
            self._drop(key)


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
