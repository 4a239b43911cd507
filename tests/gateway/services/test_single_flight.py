import asyncio
from collections.abc import Callable

import pytest

from gateway.services.single_flight import SingleFlight

pytestmark = pytest.mark.anyio


class Work:
    """Counts its runs, and ends when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.end = asyncio.Event()
        self.is_cancelled = False
        self._error = error

    async def __call__(self, tell: Callable[[str], None]) -> int:
        self.runs += 1
        self.tell = tell
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        if self._error is not None:
            raise self._error
        return self.runs


async def started(
    flights: SingleFlight[str, int],
    work: Work,
    key: str = "a",
    hear: Callable[[str], None] | None = None,
) -> "asyncio.Task[int]":
    task = asyncio.create_task(flights.join(key, work, hear))
    await asyncio.sleep(0)
    return task


async def test_what_is_asked_for_twice_at_once_is_done_once() -> None:
    flights, work = SingleFlight[str, int](), Work()
    tasks = [await started(flights, work) for _ in range(3)]
    assert "a" in flights
    work.end.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1]


async def test_other_work_and_later_work_is_done_by_itself() -> None:
    flights, work = SingleFlight[str, int](), Work()
    tasks = [await started(flights, work, key) for key in "ab"]
    work.end.set()
    await asyncio.gather(*tasks)
    assert "a" not in flights
    await flights.join("a", work)
    assert work.runs == 3


async def test_an_error_is_everybodys_and_is_not_kept() -> None:
    flights, work = SingleFlight[str, int](), Work(ValueError())
    tasks = [await started(flights, work) for _ in range(2)]
    work.end.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError]
    assert await flights.join("a", _one) == 1


async def test_one_who_goes_away_takes_nothing_along() -> None:
    flights, work = SingleFlight[str, int](), Work()
    first, second = [await started(flights, work) for _ in range(2)]
    first.cancel()
    work.end.set()
    assert await second == 1


async def test_the_last_who_goes_away_ends_it_and_the_next_begins_anew() -> None:
    flights, work = SingleFlight[str, int](), Work()
    tasks = [await started(flights, work) for _ in range(2)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert "a" not in flights
    newcomer = await started(flights, work)
    assert work.is_cancelled
    work.end.set()
    assert await newcomer == 2


async def test_everybody_aboard_hears_how_it_goes_and_who_comes_late_hears_the_last() -> None:
    flights, work = SingleFlight[str, int](), Work()
    first: list[str] = []
    late: list[str] = []
    tasks = [await started(flights, work, hear=first.append), await started(flights, work)]
    work.tell("begun")
    work.tell("half")
    tasks.append(await started(flights, work, hear=late.append))
    work.tell("nearly")
    work.end.set()
    await asyncio.gather(*tasks)
    assert first == ["begun", "half", "nearly"]
    assert late == ["half", "nearly"]


async def _one(_: Callable[[str], None]) -> int:
    return 1


async def test_what_is_made_when_everybody_has_gone_is_discarded() -> None:
    end, left, waiting = asyncio.Event(), list[int](), list[asyncio.Task[int]]()

    async def work(_: Callable[[str], None]) -> int:
        await end.wait()
        for task in waiting:
            task.cancel()
        return 7

    async def discard(made: int) -> None:
        left.append(made)

    flights = SingleFlight[str, int](discard)
    waiting += [asyncio.create_task(flights.join("a", work)) for _ in range(2)]
    await asyncio.sleep(0)
    end.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * 2
    assert left == [7]
