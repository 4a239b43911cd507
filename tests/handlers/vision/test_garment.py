"""Garments are measured: outline, sleeves, neck, and what is no garment is refused."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handlers.errors import Unfit
from handlers.vision import garment
from handlers.vision.cutout import cut_out
from handlers.vision.garment import Garment
from handlers.vision.lower_garment import LowerGarment
from tests.handlers.vision.conftest import PAIRS, read_rgb

NAMES = sorted(
    {
        (p["garment"], p["garment_mask"], p["category"])
        for p in json.loads((PAIRS / "pairs.json").read_text())["pairs"]
    }
)


def upper(name: str) -> Garment:
    """Analyse a top of the fixture."""
    found = garment.analyse(read_rgb(PAIRS / "garments" / f"{name}.jpg"), "upper_body")
    assert isinstance(found, Garment)
    return found


@pytest.mark.parametrize(("photo", "mask", "category"), NAMES)
def test_the_cut_out_is_the_garment(photo: str, mask: str, category: str) -> None:
    found = cut_out(read_rgb(PAIRS / photo))
    assert found is not None
    true = cv2.imread(str(PAIRS / mask), cv2.IMREAD_GRAYSCALE) > 127
    share = ((found.alpha > 0.5) & true).sum() / ((found.alpha > 0.5) | true).sum()
    assert share > 0.97, category


def test_white_on_white_is_cut_out() -> None:
    photo = np.full((600, 450, 3), 250, np.uint8)
    photo[150:450, 130:320] = 241
    found = cut_out(photo)
    assert found is not None
    assert (found.alpha > 0.5).sum() == pytest.approx(300 * 190, rel=0.06)


def test_a_tee_has_short_sleeves_and_a_tank_top_none() -> None:
    tee, tank = upper("logo_m"), upper("dots_w")
    sleeves = [tee.sides["left"].sleeve, tee.sides["right"].sleeve]
    assert all(s is not None and 0.3 < s.length_px / tee.shoulder_px < 1.3 for s in sleeves)
    assert tank.sides["left"].sleeve is None
    assert tank.sides["right"].sleeve is None


def test_landmarks_of_a_tee_mirror_each_other() -> None:
    tee = upper("chest_m")
    for name in ("neck", "tip", "pit"):
        left, right = getattr(tee.sides["left"], name), getattr(tee.sides["right"], name)
        assert left[0] + right[0] == pytest.approx(2 * tee.axis_x, abs=0.04 * tee.shoulder_px)
        assert left[1] == pytest.approx(right[1], abs=0.06 * tee.shoulder_px)


def test_the_inside_of_the_back_collar_is_an_opening() -> None:
    tee = upper("chest_m")
    between = slice(int(tee.sides["left"].neck[0]) + 8, int(tee.sides["right"].neck[0]) - 8)
    top = int(min(s.neck[1] for s in tee.sides.values()))
    assert tee.opening[top + 4, between].mean() > 0.9
    assert tee.opening[int(tee.hem_y) - 10].max() == 0


def test_trousers_part_and_their_halves_match() -> None:
    found = garment.analyse(read_rgb(PAIRS / "garments" / "pin_w.jpg"), "lower_body")
    assert isinstance(found, LowerGarment)
    assert found.crotch is not None
    assert 0.12 < found.crotch < 0.45
    assert found.confidence > 0.7


def drawn_noise() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 255, (512, 384, 3), np.uint8)


@pytest.mark.parametrize("category", ["upper_body", "lower_body", "dresses"])
@pytest.mark.parametrize(
    "photo", [np.full((512, 384, 3), 243, np.uint8), drawn_noise()], ids=["bare ground", "noise"]
)
def test_no_garment_is_a_refusal(photo: NDArray[np.uint8], category: str) -> None:
    with pytest.raises(Unfit) as refused:
        garment.analyse(photo, category)
    assert refused.value.details["image"] == "garment_image"


@given(
    x=st.integers(40, 120),
    y=st.integers(40, 120),
    width=st.integers(80, 220),
    height=st.integers(120, 300),
    shade=st.integers(0, 200),
    category=st.sampled_from(["upper_body", "lower_body", "dresses"]),
)
def test_any_block_of_cloth_is_measured_or_refused(
    x: int, y: int, width: int, height: int, shade: int, category: str
) -> None:
    photo = np.full((480, 400, 3), 245, np.uint8)
    photo[y : y + height, x : x + width] = shade
    try:
        found = garment.analyse(photo, category)
    except Unfit as refusal:
        assert refusal.details["reason"]  # noqa: PT017
    else:
        assert 0 <= found.confidence <= 1
