"""A dressed person: everything else in the photo stays as it was."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from handlers.errors import Unfit
from handlers.landmarks import BodyLandmarks
from handlers.vision import person
from handlers.vision.garment import Garment
from handlers.vision.lower_garment import LowerGarment
from handlers.vision.tryon import dress
from tests.handlers.vision.conftest import Pair

Worn = Callable[[str], Garment | LowerGarment]
NAMES = ["p02_logo_m", "p03_dots_w", "p06_chest_m", "p01_pin_w"]


@pytest.mark.parametrize("name", NAMES)
def test_untouched_pixels_are_the_photos_own(
    pair: Callable[[str], Pair], worn: Worn, name: str
) -> None:
    p = pair(name).person
    done = dress(p, worn(name))
    assert np.array_equal(done.image[~done.touched], p.rgb[~done.touched])
    assert done.kept_share == pytest.approx((~done.touched).mean())
    assert 0.5 < done.kept_share < 0.98


@pytest.mark.parametrize("name", ["p02_logo_m", "p03_dots_w", "p06_chest_m"])
def test_the_face_is_never_touched(pair: Callable[[str], Pair], worn: Worn, name: str) -> None:
    p = pair(name).person
    done = dress(p, worn(name))
    x, y = p.body.eyes().astype(int)
    reach = int(p.body.eye_distance_px())
    assert not done.touched[y - reach : y + reach, x - reach : x + reach].any()


def test_the_same_inputs_give_the_same_picture(pair: Callable[[str], Pair], worn: Worn) -> None:
    first, second = (dress(pair("p02_logo_m").person, worn("p02_logo_m")) for _ in range(2))
    assert np.array_equal(first.image, second.image)


def test_a_top_may_be_worn_as_a_dress(pair: Callable[[str], Pair], worn: Worn) -> None:
    p = pair("p01_pin_w").person
    top = worn("p03_dots_w")
    assert isinstance(top, Garment)
    done = dress(p, replace(top, category="dresses"))
    jeans = p.lower > 0.9
    assert done.touched[jeans].mean() > 0.5


def test_several_people_are_a_warning(pair: Callable[[str], Pair], worn: Worn) -> None:
    p = replace(pair("p02_logo_m").person, people=2)
    assert [w.code for w in dress(p, worn("p02_logo_m")).warnings] == ["several_people"]


def test_an_uneven_garment_is_refused(pair: Callable[[str], Pair], worn: Worn) -> None:
    uneven = replace(worn("p02_logo_m"), confidence=0.1)
    with pytest.raises(Unfit) as refused:
        dress(pair("p02_logo_m").person, uneven)
    assert refused.value.details == {
        "image": "garment_image",
        "reason": "part_uncertain",
        "part": "outline",
    }


def test_a_torso_cut_off_is_refused_by_the_name_of_the_landmark(
    detector: BodyLandmarks, pair: Callable[[str], Pair], worn: Worn
) -> None:
    p = pair("p02_logo_m").person
    bust = p.rgb[: int(p.body.at(0, 0.5)[1])]
    with pytest.raises(Unfit) as refused:
        dress(person.analyse(bust, detector.detect(bust)), worn("p02_logo_m"))
    assert refused.value.details["reason"] == "torso_cut_off"
    assert "hip" in refused.value.details["landmark"]


def test_trousers_need_the_hips(
    detector: BodyLandmarks, pair: Callable[[str], Pair], worn: Worn
) -> None:
    p = pair("p02_logo_m").person
    half = p.rgb[: int(p.body.at(0, 1.05)[1])]
    with pytest.raises(Unfit) as refused:
        dress(person.analyse(half, detector.detect(half)), worn("p01_pin_w"))
    assert refused.value.details["reason"] == "legs_cut_off"
