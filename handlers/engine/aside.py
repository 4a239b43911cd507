"""One thread beside the one that steps, for what others need not wait for."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")


class Aside(Generic[T, V]):
    """Does one piece of work at a time; all calls come from the thread that steps."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "aside")
        self._under_way: tuple[T, Future[V]] | None = None

    @property
    def is_free(self) -> bool:
        """Whether work can be begun: none is under way, and none is done and not yet taken."""
        return self._under_way is None

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
