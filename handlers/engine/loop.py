"""A thread that always does the next thing there is to do."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")


class Loop(Generic[T, V]):
    """Does whatever `choose` gives, one after the other, and has `note` take down what it gave.

    `choose` and `note` are called with `lock` held, `work` without; what `work` raises must be part
    of what it gives. `fault` is what ended the thread, which none of them should ever raise.
    """

    def __init__(
        self,
        lock: threading.RLock,
        choose: Callable[[], T | None],
        work: Callable[[T], V],
        note: Callable[[T, V], None],
    ) -> None:
        self._choose = choose
        self._work = work
        self._note = note
        self._after: list[Callable[[], None]] = []
        self.changed = threading.Condition(lock)
        self.current: T | None = None
        self.fault: Exception | None = None

    def start(self, name: str) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def wake(self) -> None:
        """Note that there may be something to do; the lock is held."""
        self.changed.notify_all()

    def then(self, work: Callable[[], None]) -> None:
        """Do something when what is being done has ended, at once where nothing is; lock held."""
        if self.current is None:
            work()
        else:
            self._after.append(work)

    def _run(self) -> None:
        try:
            while True:
                self._do(self._next())
        except Exception as fault:  # noqa: BLE001  told by whoever looks next
            with self.changed:
                self.fault = fault
                self.changed.notify_all()

    def _next(self) -> T:
        with self.changed:
            while (chosen := self._choose()) is None:
                self.changed.wait()
            self.current = chosen
            return chosen

    def _do(self, chosen: T) -> None:
        given = self._work(chosen)
        with self.changed:
            after, self._after, self.current = self._after, [], None
            self._note(chosen, given)
            for work in after:
                work()
            self.changed.notify_all()
