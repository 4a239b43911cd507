import asyncio

import pytest

from gateway.services.single_flight import SingleFlight

pytestmark = pytest.mark.anyio


class Work:
    """Counts its runs, and ends when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.end = asyncio.Event()
        self._error = error

    async def __call__(self) -> int:
        self.runs += 1
        await self.end.wait()
        if self._error is not None:
            raise self._error
        return self.runs


async def started(flights: SingleFlight[int], work: Work, key: str = "a") -> "asyncio.Task[int]":
    task = asyncio.ensure_future(flights.join(key, work))
    await asyncio.sleep(0)
    return task


async def test_what_is_asked_for_twice_at_once_is_done_once() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = [await started(flights, work) for _ in range(3)]
    assert "a" in flights
    work.end.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1]


async def test_other_work_and_later_work_is_done_by_itself() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = [await started(flights, work, key) for key in "ab"]
    work.end.set()
    await asyncio.gather(*tasks)
    assert "a" not in flights
    await flights.join("a", work)
    assert work.runs == 3


async def test_an_error_is_everybodys_and_is_not_kept() -> None:
    flights, work = SingleFlight[int](), Work(ValueError())
    tasks = [await started(flights, work) for _ in range(2)]
    work.end.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError]
    assert await flights.join("a", _one) == 1


async def test_one_who_goes_away_takes_nothing_along() -> None:
    flights, work = SingleFlight[int](), Work()
    first, second = [await started(flights, work) for _ in range(2)]
    first.cancel()
    work.end.set()
    assert await second == 1


async def _one() -> int:
    return 1
