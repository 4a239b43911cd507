"""The engine with a denoiser that counts: faults, leaving, and that nobody pays for another."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.engine.costs import StepCosts
from handlers.engine.engine import Broken, Engine, Outcome
from handlers.engine.scheduler import Policy, Scheduler
from handlers.engine.tickets import Admitted, Kind, Refused, Ticket

COSTS = StepCosts({"size": (0.01, 0.011, 0.012, 0.013)})
POLICY = Policy(4, 0.1, 0.1, dict.fromkeys(Kind, 1.0))


@dataclass
class Count:
    """A state whose picture is the number of its steps; some break at a step of theirs."""

    wanted: int
    breaks_at: int | None = None
    rots_at: int | None = None
    taken: int = 0
    company: list[int] = field(default_factory=list)


class Counter:
    def advance(self, states: Sequence[Count]) -> None:
        for state in states:
            if state.taken == state.breaks_at:
                raise MemoryError("planted")
        for state in states:
            state.taken += 1
            state.company.append(len(states))

    def are_sound(self, states: Sequence[Count]) -> list[bool]:
        return [state.rots_at is None or state.taken < state.rots_at for state in states]

    def recover(self) -> None:
        """Nothing is held."""


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.001
        return self.now_s


def engine() -> Engine[Count]:
    return Engine(Scheduler(POLICY, COSTS), Counter(), Clock())


def enter(into: Engine[Count], name: str, state: Count, **told: float) -> Admitted | Refused:
    ticket = Ticket(name, "ann", Kind.STANDARD, "size", state.wanted, told.get("deadline_s"))
    answer = into.enter(ticket)
    if isinstance(answer, Admitted):
        into.seat(name, state)
    return answer


def play(crowd: Engine[Count], turns: int = 500) -> Outcome[Count]:
    """Turn until nobody is in; give everything that came of it."""
    story: Outcome[Count] = Outcome()
    for _ in range(turns):
        if not len(crowd):
            break
        outcome = crowd.turn()
        story.done |= outcome.done
        story.failed |= outcome.failed
    return story


states = st.builds(
    Count,
    wanted=st.integers(1, 8),
    breaks_at=st.one_of(st.none(), st.integers(0, 7)),
    rots_at=st.one_of(st.none(), st.integers(1, 8)),
)


@pytest.mark.prop(16)
@settings(max_examples=200, deadline=None)
@given(st.lists(states, min_size=1, max_size=9))
def test_everybody_ends_with_their_own_result_or_their_own_fault(crowd: list[Count]) -> None:
    mine = engine()
    for number, state in enumerate(crowd):
        enter(mine, f"r{number}", state)
    story = play(mine)
    assert len(mine) == 0
    for number, state in enumerate(crowd):
        ends = [at for at in (state.breaks_at, state.rots_at) if at is not None]
        breaks = state.breaks_at is not None and state.breaks_at < state.wanted
        rots = state.rots_at is not None and state.rots_at <= state.wanted
        if breaks or rots:
            fault = story.failed[f"r{number}"]
            assert isinstance(fault, MemoryError | Broken)
            assert state.taken <= max(ends)
        else:
            assert story.done[f"r{number}"].taken == state.wanted
    assert len(story.done) + len(story.failed) == len(crowd)


def test_requests_step_together() -> None:
    mine = engine()
    for name in "abc":
        enter(mine, name, Count(3))
    story = play(mine)
    assert all(state.company == [3, 3, 3] for state in story.done.values())


def test_a_fault_is_found_by_halves_and_the_others_move_in_the_same_turn() -> None:
    mine = engine()
    for name in "abcd":
        enter(mine, name, Count(2, breaks_at=0 if name == "c" else None))
    outcome = mine.turn()
    assert sorted(outcome.moved) == ["a", "b", "d"]
    assert list(outcome.failed) == ["c"]


def test_what_a_failed_step_held_is_given_back_before_it_is_taken_again() -> None:
    class Tight(Counter):
        """A device with room for two."""

        def __init__(self) -> None:
            self.recovered, self.held = 0, 0

        def advance(self, states: Sequence[Count]) -> None:
            self.held += len(states)
            if self.held > 2:
                raise MemoryError("planted")
            super().advance(states)
            self.held = 0

        def recover(self) -> None:
            assert sys.exc_info() == (None, None, None)  # an error in hand would hold its frames
            self.recovered += 1
            self.held = 0

    device = Tight()
    mine = Engine(Scheduler(POLICY, COSTS), device, Clock())
    for name in "abcd":
        enter(mine, name, Count(1))
    assert sorted(mine.turn().done) == ["a", "b", "c", "d"]
    assert device.recovered == 1


def test_who_leaves_is_not_stepped_again() -> None:
    mine = engine()
    gone = Count(5)
    enter(mine, "gone", gone)
    enter(mine, "stays", Count(5))
    mine.turn()
    mine.leave("gone")
    assert list(play(mine).done) == ["stays"]
    assert gone.taken == 1


def test_who_is_not_seated_waits_and_keeps_their_place() -> None:
    mine = engine()
    mine.enter(Ticket("prepares", "ann", Kind.STANDARD, "size", 3))
    enter(mine, "steps", Count(4))
    assert mine.turn().moved == ["steps"]
    assert mine.names() == ("prepares", "steps")
    mine.seat("prepares", Count(3))
    mine.unseat("steps")
    assert mine.turn().moved == ["prepares"]
    assert {name: place.position for name, place in mine.places().items()} == {
        "prepares": 0,
        "steps": 1,
    }


def test_a_deadline_that_cannot_be_kept_is_refused_before_anything_is_made() -> None:
    mine = engine()
    state = Count(100)
    assert isinstance(enter(mine, "late", state, deadline_s=0.1), Refused)
    assert len(mine) == 0


def test_an_empty_engine_does_nothing() -> None:
    assert engine().turn() == Outcome()
