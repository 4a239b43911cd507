from hypothesis import given
from hypothesis import strategies as st

from handlers.seeds import consecutive


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 10))
def test_each_seed_can_be_had_alone(seed: int, count: int) -> None:
    several = consecutive(seed, count)
    assert len(set(several)) == count
    assert all(consecutive(one, 1) == [one] for one in several)


def test_without_a_seed_they_are_drawn() -> None:
    drawn = {consecutive(None, 1)[0] for _ in range(20)}
    assert len(drawn) > 1
    assert all(0 <= seed < 2**31 for seed in drawn)
