"""How long a caller would wait, as RFC 7240 lets him say it."""

import pytest

from gateway.intake.session_headers import MAX_WAIT_S, wait_s


@pytest.mark.parametrize(
    "prefer",
    [
        ["wait=5"],
        ["Wait=5"],
        ['wait="5"'],
        ["wait = 5"],
        ["respond-async, wait=5"],
        ["respond-async", "wait=5"],
        ["wait=5;noise=1, wait=9"],
        ['return=minimal; a="b,wait=9", WAIT="5" ; c'],
        ["wait=x", "wait=5"],
    ],
)
def test_a_wish_to_wait_is_read_however_it_is_spelt(prefer: list[str]) -> None:
    assert wait_s(prefer) == 5


@pytest.mark.parametrize("seconds", ["61", "100000", "9" * 5000])
def test_nobody_waits_longer_than_the_most(seconds: str) -> None:
    assert wait_s([f"wait={seconds}"]) == MAX_WAIT_S


@pytest.mark.parametrize(
    "prefer", ["", "wait", "wait=", "wait=-1", "wait=1.5", "await=5", 'a="wait=5', "wait=\u0665"]
)
def test_what_is_not_understood_is_passed(prefer: str) -> None:
    assert wait_s([prefer]) == 0


@pytest.mark.parametrize("junk", ['"\\"' * 20_000, '"' * 50_001, "\\" * 50_000, ",;=" * 20_000])
def test_junk_is_read_through_once(junk: str) -> None:
    assert wait_s([junk]) == 0
