"""A thread beside the one that answers, for what that one need not wait for."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")


class Aside(Generic[T, V]):
    """Does one piece of work at a time; all calls come from the thread that answers."""

    def __init__(self, name: str = "aside") -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._under_way: tuple[T, Future[V]] | None = None

    @property
    def is_free(self) -> bool:
        """Whether work can be begun: none is under way, and none is done and not yet taken."""
        return self._under_way is None

    @property
    def whose(self) -> T | None:
        """Whose work is under way, or done and not yet taken."""
        return None if self._under_way is None else self._under_way[0]

    def begin(self, whose: T, work: Callable[[], V]) -> None:
        """Begin a piece of work; raises RuntimeError where one is under way."""
        if not self.is_free:
            raise RuntimeError("one piece of work at a time")
        self._under_way = whose, self._thread.submit(work)

    def then(self, work: Callable[[], None]) -> None:
        """Do something more when what is under way is done; at once where nothing is."""
        if self._under_way is None:
            work()
        else:
            self._under_way[1].add_done_callback(lambda _: work())

    def take(self, patience_s: float = 0.0) -> tuple[T, Future[V]] | None:
        """Give what is done, and whose it was; waits at most `patience_s` for it."""
        if self._under_way is None:
            return None
        whose, future = self._under_way
        if not wait([future], patience_s).done:
            return None
        self._under_way = None
        return whose, future

    def future(self) -> Future[V] | None:
        """Give what is under way, to be waited for."""
        return None if self._under_way is None else self._under_way[1]


def until_one_is_done(*asides: Aside[Any, Any], patience_s: float | None = None) -> None:
    """Wait until one has done its work, at most so long; not at all where none has any."""
    under_way = [future for one in asides if (future := one.future()) is not None]
    if under_way:
        wait(under_way, patience_s, FIRST_COMPLETED)
