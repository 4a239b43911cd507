"""People are understood: part masks by overlap with the truth, landmarks by pixels."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from handlers.errors import Unfit
from handlers.landmarks import BodyLandmarks
from handlers.vision import person
from handlers.vision.body import SIDES
from handlers.vision.detection import Detection
from handlers.vision.packed import PackedPerson
from tests.handlers.vision.conftest import Pair

NAMES = ["p02_logo_m", "p03_dots_w", "p06_chest_m", "p01_pin_w"]
UPPER, LOWER, ARMS = [4], [5, 6, 9, 10], [14, 15]


def overlap(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize("name", NAMES)
def test_clothes_are_where_they_are(pair: Callable[[str], Pair], name: str) -> None:
    known = pair(name)
    assert overlap(known.person.upper > 0.5, np.isin(known.labels, UPPER)) > 0.94
    assert overlap(known.person.lower > 0.5, np.isin(known.labels, LOWER)) > 0.94
    assert overlap(known.person.background > 0.5, known.labels == 0) > 0.98


@pytest.mark.parametrize("name", NAMES)
def test_joints_lie_near_the_rendered_ones(pair: Callable[[str], Pair], name: str) -> None:
    known = pair(name)
    for side, other in (
        ("left", "right"),
        ("right", "left"),
    ):  # the picture's left is the person's right
        for joint in ("shoulder", "elbow", "wrist", "hip"):
            true = known.joints[f"{other}_{joint}"][:2]
            found = known.person.body.joints[f"{side}_{joint}"]
            allowed = 0.30 * known.person.body.scale_px
            assert np.linalg.norm(found - true) < allowed, (side, joint)


def test_masks_sum_to_one(pair: Callable[[str], Pair]) -> None:
    p = pair("p02_logo_m").person
    assert np.allclose(p.background + p.hair + p.skin + p.upper + p.lower, 1, atol=1e-3)


def test_a_packed_person_is_the_person_at_a_third_of_the_size(pair: Callable[[str], Pair]) -> None:
    p = pair("p02_logo_m").person
    packed = PackedPerson.of(p)
    again = packed.unpack()
    assert packed.nbytes < p.rgb.size * 5
    assert np.abs(again.upper - p.upper).max() <= 0.5 / 255 + 1e-6
    assert again.body is p.body
    assert PackedPerson.of(again).masks["skin"].tobytes() == packed.masks["skin"].tobytes()


def test_the_old_sleeve_ends_where_cloth_turns_to_skin(pair: Callable[[str], Pair]) -> None:
    short, long = pair("p02_logo_m").person.shape, pair("p06_chest_m").person.shape
    for side in SIDES:
        assert 0.2 < short.sides[side].arm.sleeve_end < 0.45
        assert long.sides[side].arm.sleeve_end > 0.9


def test_the_person_is_taken_out_of_the_scene(pair: Callable[[str], Pair]) -> None:
    known = pair("p02_logo_m")
    wall = known.person.rgb[known.labels == 0].reshape(-1, 3).mean(0)
    behind = known.person.behind[known.labels > 0].reshape(-1, 3)
    assert np.abs(behind.mean(0) - wall).max() < 12


def test_nobody_in_the_picture_is_a_refusal(detector: BodyLandmarks) -> None:
    wall = np.full((512, 384, 3), 180, np.uint8)
    with pytest.raises(Unfit) as refused:
        person.analyse(wall, detector.detect(wall))
    assert refused.value.details == {"image": "person_image", "reason": "no_person"}


def test_shoulders_outside_the_picture_are_named(pair: Callable[[str], Pair]) -> None:
    p = pair("p02_logo_m").person
    pose = np.zeros((33, 4), np.float32)
    pose[:, 3] = 1
    pose[[11, 12], 0] = [700, 900]
    pose[[11, 12], 1] = 300
    pose[[23, 24], 1] = 800
    found = Detection(pose, 1 - p.background, 1)
    with pytest.raises(Unfit) as refused:
        person.analyse(p.rgb, found)
    assert refused.value.details["landmark"] == "left_shoulder"
    assert refused.value.details["reason"] == "torso_cut_off"
