"""The same work asked for several times at once is done once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")
N = TypeVar("N")

Hear: TypeAlias = Callable[[N], None]
Work: TypeAlias = Callable[[Hear[N]], Coroutine[Any, Any, T]]


def has_result(task: "asyncio.Task[Any]") -> bool:
    """Whether a task has come to an end, and a good one."""
    return task.done() and not task.cancelled() and task.exception() is None


class _Flight(Generic[N, T]):
    """Work under way: who waits for it, and what it told last."""

    def __init__(self, work: Work[N, T]) -> None:
        self.listeners: list[Hear[N] | None] = []
        self.told: N | None = None
        self.is_taken = False
        self.task = asyncio.create_task(work(self._tell))

    @property
    def is_left(self) -> bool:
        """Whether it made something, and everybody had gone."""
        return has_result(self.task) and not self.is_taken

    def _tell(self, news: N) -> None:
        self.told = news
        for hear in self.listeners:
            if hear is not None:
                hear(news)


class SingleFlight(Generic[N, T]):
    """Work under way, by what identifies it; it tells news of one kind, and gives another.

    Whoever asks for it while it runs gets the same outcome, an error included, and hears how it
    goes. It goes on when one of them goes away, and is cancelled with the last; what it had made by
    then is given to `discard`.
    """

    def __init__(self, discard: Callable[[T], Awaitable[None]] | None = None) -> None:
        self._discard = discard
        self._flights: dict[str, _Flight[N, T]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def join(self, key: str, work: Work[N, T], hear: Hear[N] | None = None) -> T:
        """Join the work under this key; start it when nobody has.

        The work is given whom to tell its news; `hear` is called with each, first with the last
        one told before.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(work)
            flight.task.add_done_callback(lambda _: self._land(key, flight))
        elif hear is not None and flight.told is not None:
            hear(flight.told)
        flight.listeners.append(hear)
        try:
            made = await asyncio.shield(flight.task)
            flight.is_taken = True
            return made
        finally:
            flight.listeners.remove(hear)
            if not flight.listeners:
                flight.task.cancel()  # changes nothing where it is done
                self._land(key, flight)
                if flight.is_left and self._discard is not None:
                    await self._discard(flight.task.result())

    def _land(self, key: str, flight: _Flight[N, T]) -> None:
        """Let the next one who asks begin anew."""
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # looked at, or asyncio reports one that nobody waited for
