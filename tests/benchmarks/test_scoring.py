"""The scorer: perfect for the truth, the recorded numbers for doing nothing, strict on sizes."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import pairs
from benchmarks.regions import grow
from benchmarks.scoring import score

FOLDER = Path(__file__).parents[1] / "fixtures" / "pairs"

# The unchanged photo's numbers, from the reference implementation.
NOTHING = {
    "p02_logo_m": {
        "wrong_pct": 96.85592,
        "colour_de": 20.993495,
        "texture": 0.3245036,
        "ssim": 0.7452827,
    },
    "p06_chest_m": {
        "wrong_pct": 98.94364,
        "colour_de": 58.154288,
        "texture": 0.3798736,
        "revealed_de": 39.302431,
        "ssim": 0.4063755,
    },
}


@pytest.fixture(scope="module")
def by_id() -> dict[str, pairs.Pair]:
    return {pair.id: pair for pair in pairs.load(FOLDER)}


def test_the_truth_is_perfect(by_id: dict[str, pairs.Pair]) -> None:
    pair = by_id["p06_chest_m"]
    perfect = score(pair, pair.truth)
    assert (perfect.wrong_pct, perfect.colour_de, perfect.revealed_de) == pytest.approx((0, 0, 0))
    assert (perfect.outside_pct, perfect.outside_max, perfect.front_share) == (0, 0, 0)
    assert (perfect.texture, perfect.ssim, perfect.energy) == pytest.approx((1, 1, 1))
    assert perfect.boundary_iou > 0.8


@pytest.mark.parametrize("pair_id", NOTHING)
def test_doing_nothing_scores_as_recorded(by_id: dict[str, pairs.Pair], pair_id: str) -> None:
    pair = by_id[pair_id]
    nothing = score(pair, pair.person)
    measured = {name: getattr(nothing, name) for name in NOTHING[pair_id]}
    assert measured == pytest.approx(NOTHING[pair_id], rel=1e-6)
    assert (nothing.boundary_iou, nothing.outside_pct) == (0, 0)


def test_damage_outside_the_garments_is_counted(by_id: dict[str, pairs.Pair]) -> None:
    pair = by_id["p02_logo_m"]
    damaged = pair.truth.copy()
    damaged[:20, :20] += 50
    numbers = score(pair, damaged)
    assert numbers.outside_max == numbers.far_max == 50
    assert numbers.outside_pct == pytest.approx(400 / np.count_nonzero(~grow(pair.union, 6)) * 100)


def test_a_painted_over_hand_is_counted(by_id: dict[str, pairs.Pair]) -> None:
    pair = by_id["p03_dots_w"]
    painted = np.where(pair.front[..., None], 255 - pair.truth, pair.truth)
    share = score(pair, painted).front_share
    assert share is not None
    assert share > 0.9


def test_a_result_of_another_size_is_an_error(by_id: dict[str, pairs.Pair]) -> None:
    pair = by_id["p02_logo_m"]
    with pytest.raises(ValueError, match="p02_logo_m"):
        score(pair, pair.truth[:-1])
