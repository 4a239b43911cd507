"""Who leaves a tier, and who stays."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from handlers.diffusion.features_tier import Address, Tier

CAPACITY = 10
asked = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 5), st.integers(1, 4)), max_size=40
)


def tier(pinned: Sequence[str] = (), capacity: int = CAPACITY) -> Tier[str]:
    return Tier(capacity, pinned.__contains__)


def filled(mine: Tier[str], record: str, steps: int) -> list[bool]:
    return [mine.put(Address(record, float(step)), record, 1) for step in range(steps)]


@given(asked)
def test_no_more_is_held_than_there_is_room_for(puts: list[tuple[str, int, int]]) -> None:
    held = dict[Address, int]()
    mine: Tier[str] = Tier(CAPACITY, "a".__eq__, lambda address, _value: held.__delitem__(address))
    for record, step, nbytes in puts:
        address = Address(record, float(step))
        if address not in mine and mine.put(address, record, nbytes):
            held[address] = nbytes
        assert mine.tally.held_bytes == sum(held.values()) <= CAPACITY
        assert len(mine) == len(held)
        assert all(one in mine for one in held)


@given(asked)
def test_a_pinned_garment_never_makes_room_for_another(puts: list[tuple[str, int, int]]) -> None:
    mine = tier(["pinned"])
    filled(mine, "pinned", 6)
    for record, step, nbytes in puts:
        mine.put(Address(record, float(step)), record, nbytes)
    assert len(mine.timesteps("pinned")) == 6


def test_a_pinned_garment_makes_room_for_a_pinned_one_alone() -> None:
    mine = tier(["old", "new"])
    filled(mine, "old", 6)
    filled(mine, "free", 4)
    assert all(filled(mine, "new", 6))
    assert mine.timesteps("free") == ()
    assert len(mine.timesteps("old")) == 4


def test_the_garment_asked_for_least_recently_leaves_first_and_from_its_end() -> None:
    mine = tier()
    filled(mine, "first", 5)
    filled(mine, "second", 5)
    mine.get(Address("first", 0.0))
    filled(mine, "third", 2)
    assert mine.timesteps("second") == (0.0, 1.0, 2.0)
    assert len(mine.timesteps("first")) == 5
    assert mine.tally.evictions == 2


def test_a_garment_larger_than_the_tier_keeps_as_much_as_fits() -> None:
    mine = tier()
    assert filled(mine, "large", 15) == [True] * 10 + [False] * 5
    assert filled(mine, "large", 15) == [True] * 10 + [False] * 5
    assert mine.tally.evictions == 0


def test_what_could_never_fit_pushes_nobody_out() -> None:
    mine = tier()
    filled(mine, "small", 5)
    assert not mine.put(Address("huge", 0.0), "huge", CAPACITY + 1)
    assert len(mine.timesteps("small")) == 5
