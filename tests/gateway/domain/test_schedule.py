import pytest

from gateway.domain.schedule import UNHURRIED, Schedule


def test_options_become_what_a_scheduler_reads() -> None:
    options = {"deadline_s": 20, "least_steps": 6, "preview_every": 2, "steps": 30}
    schedule = Schedule.of(options).asked_by("somebody")
    assert schedule.wire() == {
        "user": "somebody",
        "within_s": 20.0,
        "least_steps": 6,
        "preview_every": 2,
    }
    assert Schedule.of({"steps": 30}) == UNHURRIED
    assert UNHURRIED.wire() == {}


def test_time_goes_by_and_is_never_less_than_none() -> None:
    schedule = Schedule(within_s=5)
    assert schedule.after(2).within_s == 3
    assert schedule.after(60).within_s == pytest.approx(0.001)
    assert UNHURRIED.after(60) == UNHURRIED


def test_only_what_was_promised_keeps_two_apart() -> None:
    assert Schedule(preview_every=2).promise == Schedule(user="u").promise
    assert Schedule(within_s=2).promise != Schedule(within_s=3).promise
    assert Schedule(within_s=2, least_steps=4).promise != Schedule(within_s=2).promise
