from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.sessions import Kind
from gateway.domain.sessions_lifecycle import (
    ENDED,
    OPEN,
    TRANSITIONS,
    IllegalMove,
    Move,
    State,
    after,
    ending,
    origins,
)
from gateway.domain.sessions_queue import PASSING, WAITS, Patience, is_tried, pause_s, rank
from gateway.errors.codes import ErrorCode
from gateway.errors.engines import RemoteEngineAway, RemoteEngineFailed
from gateway.errors.kinds import GatewayError, NotKept

PATIENCE = Patience(max_tries=3, first_s=0.5, longest_s=4.0)
MOVES = st.lists(st.sampled_from(Move), max_size=30)


def walked(moves: list[Move]) -> list[State]:
    """Every state that a session goes through when it makes the moves it can."""
    states = [State.CREATED]
    for move in moves:
        if (states[-1], move) in TRANSITIONS:
            states.append(after(states[-1], move))
    return states


@given(MOVES)
def test_whatever_happens_a_session_ends_once_and_stays_so(moves: list[Move]) -> None:
    states = walked(moves)
    ends = [place for place, state in enumerate(states) if state in ENDED]
    assert ends in ([], [len(states) - 1])


@given(MOVES)
def test_nothing_ends_well_or_fails_that_was_not_begun(moves: list[Move]) -> None:
    states = walked(moves)
    if {State.COMPLETED, State.FAILED} & set(states):
        assert states[-2] is State.PROCESSING


@pytest.mark.parametrize(("state", "move"), list(product(sorted(ENDED), Move)))
def test_nothing_happens_to_what_has_ended(state: State, move: Move) -> None:
    with pytest.raises(IllegalMove):
        after(state, move)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_whatever_is_open_can_be_cancelled_and_expires(state: State) -> None:
    assert after(state, Move.CANCEL) is State.CANCELLED
    assert after(state, Move.EXPIRE) is State.EXPIRED


@pytest.mark.parametrize("move", list(Move))
def test_a_guard_names_exactly_the_states_that_the_move_may_start_from(move: Move) -> None:
    assert origins(move) == {state for state in State if (state, move) in TRANSITIONS}


@given(st.lists(st.sampled_from(State), min_size=1))
def test_a_session_ends_with_its_last_item_and_is_a_success_with_one_result(
    states: list[State],
) -> None:
    move = ending(states)
    assert (move is None) == any(state in OPEN for state in states)
    if move is not None:
        assert (move is Move.COMPLETE) == (State.COMPLETED in states)
        assert after(State.PROCESSING, move) in states


@given(st.floats(0, 1e9), st.floats(120.001, 1e6))
def test_age_beats_every_kind(created_at: float, later_s: float) -> None:
    assert rank(Kind.BATCH, created_at, 0) < rank(Kind.PREVIEW, created_at + later_s, 0)


def test_of_the_same_age_previews_go_first_and_batches_last() -> None:
    assert sorted(Kind, key=lambda kind: rank(kind, 0, 0)) == [
        Kind.PREVIEW,
        Kind.STANDARD,
        Kind.BATCH,
    ]


def test_two_batches_take_turns() -> None:
    ranks = [
        (rank(Kind.BATCH, start, position), start) for start in (0, 0.5) for position in (0, 1)
    ]
    assert [start for _, start in sorted(ranks)] == [0, 0.5, 0, 0.5]


def error_of(told: ErrorCode) -> GatewayError:
    """One with this code, and nothing else that is special."""

    class Failed(GatewayError):
        code = told

    return Failed()


@given(st.sampled_from(ErrorCode), st.integers(1, 10_000), st.integers(0, 10_000))
def test_an_item_is_tried_again_only_where_that_may_help(
    code: ErrorCode, tries: int, bounces: int
) -> None:
    pause = pause_s(error_of(code), tries, bounces, PATIENCE)
    may_help = code in WAITS or (code in PASSING and tries < PATIENCE.max_tries)
    assert (pause is not None) == may_help
    assert pause is None or PATIENCE.first_s <= pause <= PATIENCE.longest_s


@given(st.sampled_from(sorted(WAITS)), st.integers(0, 50))
def test_pauses_double_with_every_time_in_a_row(code: ErrorCode, bounces: int) -> None:
    one, two = (pause_s(error_of(code), 1, number, PATIENCE) for number in (bounces, bounces + 1))
    assert one is not None
    assert two == min(2 * one, PATIENCE.longest_s)


@pytest.mark.parametrize("code", sorted(WAITS))
def test_whoever_waits_is_not_counted(code: ErrorCode) -> None:
    assert not is_tried(error_of(code))


def test_work_that_could_not_be_stored_is_counted_and_ends() -> None:
    assert is_tried(NotKept())
    assert pause_s(NotKept(), PATIENCE.max_tries, 0, PATIENCE) is None


def test_an_engine_elsewhere_that_took_nothing_is_waited_for_without_an_end() -> None:
    assert not is_tried(RemoteEngineAway())
    assert pause_s(RemoteEngineAway(), 99, 0, PATIENCE) == PATIENCE.first_s
    assert is_tried(RemoteEngineFailed())
    assert pause_s(RemoteEngineFailed(), 99, 0, PATIENCE) is None


@pytest.mark.parametrize(
    ("told", "pause"), [("2", 2.0), ("0", 0.5), ("3600", 4.0), ("soon", 0.5), ("-1", 0.5)]
)
def test_it_is_not_asked_before_it_said_to_the_longest_pause(told: str, pause: float) -> None:
    away = RemoteEngineAway(headers={"Retry-After": told})
    assert pause_s(away, 1, 0, PATIENCE) == pause
