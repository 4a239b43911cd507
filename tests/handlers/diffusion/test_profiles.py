from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.diffusion import profiles
from handlers.diffusion.profiles import CARDS_GB, GB, PROFILES, Profile
from handlers.settings import BadSetting


@pytest.mark.parametrize(("name", "card_gb"), CARDS_GB.items(), ids=CARDS_GB)
def test_a_profile_stays_below_its_card(name: str, card_gb: int) -> None:
    assert PROFILES[name].needs_gb() < card_gb


def test_no_profile_gives_up_more_than_its_card_asks_for() -> None:
    """Whoever has the next larger card must gain from it: the larger profile does not fit."""
    for name, next_name in pairwise(CARDS_GB):
        assert PROFILES[next_name].needs_gb() > CARDS_GB[name]


def test_full_precision_does_not_fit_the_smallest_card_as_it_stands() -> None:
    assert Profile(guests=PROFILES["8gb"].guests).needs_gb() > CARDS_GB["8gb"]


def test_only_the_smallest_card_quantises() -> None:
    assert [name for name, one in PROFILES.items() if one.int8] == ["8gb"]


@given(card_gb=st.floats(1, 200))
def test_auto_never_asks_for_more_than_the_card_has(card_gb: float) -> None:
    name = profiles.choose("auto", int(card_gb * GB))
    if card_gb >= min(CARDS_GB.values()):
        assert PROFILES[name].needs_gb() < card_gb
    else:
        assert name == "8gb"


@pytest.mark.parametrize(
    ("wish", "card_gb", "expected"),
    [
        ("auto", None, "full"),
        ("auto", 8.3, "8gb"),
        ("auto", 15.8, "12gb"),
        ("auto", 25.4, "24gb"),
        ("auto", 150, "full"),
        ("12gb", 150, "12gb"),
        ("full", 4, "full"),
    ],
)
def test_a_wish_outranks_the_card(wish: str, card_gb: float | None, expected: str) -> None:
    card_bytes = None if card_gb is None else int(card_gb * GB)
    assert profiles.choose(wish, card_bytes) == expected


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(BadSetting, match=r"handler\.memory: expected auto, 8gb.*found 10gb"):
        profiles.choose("10gb", None)
