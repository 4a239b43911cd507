"""One instance per process of what is expensive to load, however many threads ask for it."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Loader(Generic[T]):
    """Makes its instance at the first `get`; every thread gets the same one.

    A factory that raises is tried again by the next caller: a half-made instance is never given.
    """

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._lock = threading.Lock()
        self._made: list[T] = []

    def get(self) -> T:
        """Give the instance, made by whoever asks first while the others wait."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._factory())
        return self._made[0]

    @property
    def loaded(self) -> bool:
        """Whether the instance exists."""
        return bool(self._made)
