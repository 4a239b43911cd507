"""One time for all who share a database, whatever is done to their own clocks."""

from dataclasses import dataclass

import pytest

from gateway.adapters.clock import SharedClock

pytestmark = pytest.mark.anyio

TRUE = 1_790_000_000.0


@dataclass
class OwnClock:
    """A machine's clock, which may be set; what it measures goes on."""

    wall_s: float = TRUE
    passed_s: float = 0.0

    def now(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.passed_s


@dataclass
class Source:
    """The time of what is shared; to ask takes a while."""

    own: OwnClock
    time_s: float = TRUE
    takes_s: float = 0.2

    async def ask(self) -> float:
        self.own.passed_s += self.takes_s
        return self.time_s


@pytest.mark.parametrize("wrong_s", [-600.0, 600.0])
async def test_a_clock_that_is_wrong_tells_the_time_of_the_source(wrong_s: float) -> None:
    own = OwnClock(TRUE + wrong_s)
    clock = SharedClock(own)
    assert clock.now() == TRUE + wrong_s
    await clock.agree(Source(own).ask)
    assert clock.now() == pytest.approx(TRUE + 0.1)


@pytest.mark.parametrize("jump_s", [-600.0, 600.0])
async def test_a_clock_that_is_set_changes_nothing(jump_s: float) -> None:
    own = OwnClock()
    clock = SharedClock(own)
    await clock.agree(Source(own).ask)
    before = clock.now()
    own.wall_s += jump_s
    own.passed_s += 5
    assert clock.now() == pytest.approx(before + 5)


@pytest.mark.parametrize("wrong_s", [-600.0, 600.0])
async def test_however_long_the_first_answer_took_it_is_better_than_none(wrong_s: float) -> None:
    own = OwnClock(TRUE + wrong_s)
    clock = SharedClock(own)
    await clock.agree(Source(own, takes_s=30).ask)
    assert clock.now() == pytest.approx(TRUE + 15)


async def test_one_that_took_long_is_not_believed_where_more_is_known() -> None:
    own = OwnClock()
    clock = SharedClock(own)
    await clock.agree(Source(own).ask)
    await clock.agree(Source(own, TRUE + 600, takes_s=30).ask)
    assert clock.now() == pytest.approx(TRUE + 30.1)


async def test_one_that_took_less_long_than_the_last_is_believed() -> None:
    own = OwnClock(TRUE + 600)
    clock = SharedClock(own)
    for takes_s in (30.0, 8.0, 1.5):
        await clock.agree(Source(own, takes_s=takes_s).ask)
        assert clock.now() == pytest.approx(TRUE + takes_s / 2)


async def test_after_long_silence_a_slow_answer_says_more_than_none() -> None:
    own = OwnClock()
    clock = SharedClock(own)
    await clock.agree(Source(own).ask)
    own.passed_s += 3600
    await clock.agree(Source(own, TRUE + 3603, takes_s=2.0).ask)
    assert clock.now() == pytest.approx(TRUE + 3604)


async def test_the_source_is_asked_at_once() -> None:
    own = OwnClock(TRUE - 600)
    clock = SharedClock(own)
    async with clock.agreeing(Source(own).ask):
        assert clock.now() == pytest.approx(TRUE + 0.1)
