import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.versions import Limits, Split, Tally, is_version, version_for, worse

LIMITS = Limits(requests=20, error_rise=0.05, refusal_rise=0.2, slowdown=1.5)
IDS = [f"request-{number}" for number in range(4000)]


def tally(answered: int = 0, failed: int = 0, refused: int = 0, took_s: float = 1.0) -> Tally:
    return Tally(answered, failed, refused, (took_s,) * answered)


def code(old: Tally, new: Tally) -> str | None:
    reason = worse(old, new, LIMITS)
    return None if reason is None else reason.code


@pytest.mark.parametrize("text", ["1.0.0", "10.20.30"])
def test_a_version_is_semantic(text: str) -> None:
    assert is_version(text)


@pytest.mark.parametrize("text", ["1.0", "1.0.0-rc1", "../1.0.0", "1.0.0\n", "१.0.0", ""])
def test_nothing_else_is_a_version(text: str) -> None:
    assert not is_version(text)


def test_without_a_split_everything_goes_to_the_default() -> None:
    assert version_for(None, "1.0.0", "any") == "1.0.0"
    assert version_for(None, None, "any") is None


@given(st.floats(0, 1), st.text())
def test_a_request_always_goes_to_the_same_version(share: float, request_id: str) -> None:
    split = Split("1.1.0", share)
    chosen = version_for(split, "1.0.0", request_id)
    assert chosen in {"1.0.0", "1.1.0"}
    assert version_for(split, "1.0.0", request_id) == chosen


@given(st.floats(0, 1), st.floats(0, 1), st.text())
def test_who_tries_a_version_goes_on_to_try_it_as_its_share_grows(
    one: float, other: float, request_id: str
) -> None:
    small, large = sorted((one, other))
    if version_for(Split("1.1.0", small), "1.0.0", request_id) == "1.1.0":
        assert version_for(Split("1.1.0", large), "1.0.0", request_id) == "1.1.0"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_share_is_kept(share: float) -> None:
    tried = sum(version_for(Split("1.1.0", share), "1.0.0", one) == "1.1.0" for one in IDS)
    assert tried / len(IDS) == pytest.approx(share, abs=0.03)


def test_each_version_is_tried_by_others() -> None:
    first, second = (
        {one for one in IDS if version_for(Split(version, 0.1), "1.0.0", one) == version}
        for version in ("1.1.0", "1.2.0")
    )
    assert len(first & second) < len(first) / 2


def test_equal_versions_are_equal() -> None:
    assert code(tally(100, 2, 5), tally(100, 2, 5)) is None
    assert code(Tally(), Tally()) is None


def test_errors_are_told_before_there_are_many_requests() -> None:
    assert code(tally(100), tally(0, failed=1)) is None
    assert code(tally(100), tally(1, failed=2)) == "more_errors"


def test_an_error_rate_may_rise_a_little() -> None:
    assert code(tally(98, failed=2), tally(94, failed=6)) is None
    assert code(tally(98, failed=2), tally(90, failed=10)) == "more_errors"


def test_more_declined_pictures_are_worse_too() -> None:
    assert code(tally(90, refused=10), tally(75, refused=25)) is None
    assert code(tally(90, refused=10), tally(60, refused=40)) == "more_refusals"


def test_a_slower_version_is_told_by_the_middle_of_its_answers() -> None:
    assert code(tally(30, took_s=1.0), tally(30, took_s=1.5)) is None
    assert code(tally(30, took_s=1.0), tally(30, took_s=1.6)) == "slower"
    assert code(tally(30, took_s=1.0), tally(19, took_s=9.0)) is None
    assert code(tally(19, took_s=1.0), tally(30, took_s=9.0)) is None


def test_a_reason_has_the_numbers() -> None:
    reason = worse(tally(100, failed=1), tally(10, failed=5), LIMITS)
    assert reason is not None
    assert reason.message == "5 of 15 requests failed, and 1 of 101 before."


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_one_more_failure_never_makes_a_version_better(a: int, f: int, b: int, g: int) -> None:
    old, new = tally(a, f), tally(b, g)
    if code(old, new) == "more_errors":
        assert code(old, new.with_failure()) == "more_errors"


def test_durations_are_counted_to_the_last_thousand() -> None:
    told = Tally()
    for number in range(1100):
        told = told.with_answer(float(number))
    assert told.answered == 1100
    assert len(told.durations_s) == 1000
    assert told.median_s == pytest.approx(599.5)
    assert told.p90_s == pytest.approx(999, abs=1)
    assert Tally().median_s is None
    assert tally(9).p90_s is None
