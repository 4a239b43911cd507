"""OpenPose's decoder on fields drawn for people who stand where the test puts them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handlers.understanding.contract import KEYPOINTS
from handlers.vision import openpose_people
from handlers.vision.openpose_fields import JOINTS, LIMBS, joints, limbs
from handlers.vision.openpose_frame import Frame

FRAME = Frame.of(384, 512)
CELLS = (23, 18)  # of the network's grid over the frame
# A figure one unit high, its neck at the origin, in the contract's order.
FIGURE = np.array([
    (0, -0.12), (0, 0),
    (-0.12, 0.02), (-0.16, 0.2), (-0.18, 0.36),
    (0.12, 0.02), (0.16, 0.2), (0.18, 0.36),
    (-0.08, 0.34), (-0.09, 0.56), (-0.09, 0.78),
    (0.08, 0.34), (0.09, 0.56), (0.09, 0.78),
    (-0.03, -0.15), (0.03, -0.15), (-0.06, -0.13), (0.06, -0.13),
])  # fmt: skip


def standing(x: float, y: float, size_px: float) -> NDArray[np.float64]:
    """The (18, 2) joints of a figure whose neck is at x, y in frame pixels."""
    return FIGURE * size_px + (x, y)


def fields(*people: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heat (19, h, w) and affinity (38, h, w) as a perfect network would answer; NaN = hidden."""
    cell_px = 512 / CELLS[0]
    y, x = (np.mgrid[: CELLS[0], : CELLS[1]] + 0.5) * cell_px
    heat = np.zeros((JOINTS + 1, *CELLS))
    affinity = np.zeros((38, *CELLS))
    for person in people:
        for index, (px, py) in enumerate(person):
            if np.isfinite(px):
                near = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * cell_px**2))
                heat[index] = np.maximum(heat[index], near)
        for limb in LIMBS:
            start, end = person[limb.first], person[limb.second]
            if np.isfinite([start, end]).all():
                _draw(affinity[limb.channel : limb.channel + 2], x, y, start, end)
    return heat, affinity


def _draw(
    field: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> None:
    along = end - start
    length = float(np.linalg.norm(along))
    unit = along / length
    t = np.clip((x - start[0]) * unit[0] + (y - start[1]) * unit[1], 0, length)
    off = np.hypot(x - start[0] - t * unit[0], y - start[1] - t * unit[1])
    field[:, off < 512 / CELLS[0]] = unit[:, None]


def found(*people: NDArray[np.float64]) -> NDArray[np.float32]:
    return openpose_people.largest(openpose_people.decode(*fields(*people), FRAME))


def test_a_person_is_found_joint_by_joint() -> None:
    person = standing(190, 120, 400)
    answer = found(person)
    assert answer.shape == (18, 3)
    assert answer.dtype == np.float32
    assert np.abs(answer[:, :2] - person).max() < 12
    assert (answer[:, 2] > 0.5).all()


def test_of_two_people_the_larger_one_is_told_whole() -> None:
    small, large = standing(80, 200, 250), standing(260, 110, 420)
    for people in ((small, large), (large, small)):
        assert np.abs(found(*people)[:, :2] - large).max() < 15


def test_of_nobody_all_joints_are_missing() -> None:
    assert not found().any()
    assert not openpose_people.largest(
        openpose_people.decode(np.zeros((19, *CELLS)), np.zeros((38, *CELLS)), FRAME)
    ).any()


@pytest.mark.slow
@settings(max_examples=25)
@given(st.sets(st.sampled_from(range(18)), max_size=6))
def test_a_hidden_joint_is_missing_and_brings_no_other_one_down(hidden: set[int]) -> None:
    person = standing(190, 120, 400)
    person[list(hidden)] = np.nan
    answer = found(person)
    told = answer[:, 2] > 0
    assert not told[list(hidden)].any()
    # What no limb connects to the rest any more is lost with it, what is told is in its place.
    assert np.abs(answer[told, :2] - person[told]).max(initial=0) < 12


def test_arms_without_a_neck_belong_to_the_face_between_them() -> None:
    person = standing(190, 120, 400)
    person[KEYPOINTS.index("neck")] = np.nan
    told = [name for name, point in zip(KEYPOINTS, found(person), strict=True) if point[2]]
    lower = {name for name in KEYPOINTS if name.endswith(("hip", "knee", "ankle"))}
    assert set(told) == set(KEYPOINTS) - {"neck"} - lower


@pytest.mark.parametrize(("along", "connected"), [(7, False), (9, True)])
def test_a_limb_is_one_when_nearly_all_of_it_is_seen(along: int, *, connected: bool) -> None:
    field = np.zeros((2, 100, 100))
    field[0, :, : 10 * along] = 1.0  # of ten samples from x = 5 to x = 95
    ends = np.array([[5.0, 50, 1]]), np.array([[95.0, 50, 1]])
    pairs = limbs(field, *ends)
    assert bool(pairs) == connected
    field[0] = 0
    field[1] = 1.0  # across
    assert not limbs(field, *ends)


@pytest.mark.parametrize(("length_px", "score"), [(40, 1.0), (50, 1.0), (80, 0.625)])
def test_a_limb_longer_than_half_the_picture_is_less_sure(length_px: int, score: float) -> None:
    field = np.stack([np.ones((100, 100)), np.zeros((100, 100))])
    ((_, _, told),) = limbs(field, np.array([[5.0, 50, 1]]), np.array([[5.0 + length_px, 50, 1]]))
    assert told == pytest.approx(score)


def test_a_joint_takes_the_surer_of_two_limbs() -> None:
    field = np.zeros((2, 100, 100))
    field[0, 20] = 1.0
    field[0, 60] = 0.6
    left, right = np.array([[10.0, 20, 1], [10, 60, 1]]), np.array([[50.0, 60, 1], [50, 20, 1]])
    assert [pair[:2] for pair in limbs(field, left, right)] == [(0, 1), (1, 0)]


def test_a_scrap_of_a_person_is_nobody() -> None:
    person = standing(190, 120, 400)
    person[[index for index in range(18) if index not in {2, 3, 4}]] = np.nan
    assert not found(person).any()


def test_a_peak_is_a_place_above_all_its_neighbours_and_the_least_heat() -> None:
    heat = np.zeros((60, 80))
    heat[20, 30], heat[40, 60] = 60.0, 2.0  # the blur leaves less than a tenth of the second
    assert joints(heat)[:, :2].tolist() == [[30, 20]]


@pytest.mark.parametrize(
    ("width_px", "height_px", "seen"),
    [
        (384, 512, (184, 144)),
        (768, 1024, (184, 144)),
        (511, 511, (184, 184)),
        (500, 300, (184, 312)),
        (1000, 100, (40, 368)),
    ],
)
def test_the_network_sees_184_rows_or_fewer_padded_to_its_stride(
    width_px: int, height_px: int, seen: tuple[int, int]
) -> None:
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    planes = Frame.of(width_px, height_px).network_input(picture)
    assert planes.shape == (1, 3, *seen)
    assert planes.dtype == np.float32
    assert planes[0, :, 0, 0].tolist() == [-0.5] * 3


def test_the_network_sees_blue_first() -> None:
    red = np.zeros((512, 384, 3), np.uint8)
    red[..., 0] = 255
    planes = FRAME.network_input(red)
    assert planes[0, :, 0, 0].tolist() == [-0.5, -0.5, 255 / 256 - 0.5]
    assert (planes[0, :, :, 138:] == 0).all()  # padding is grey


def test_limbs_connect_the_joints_that_bodies_connect() -> None:
    named = {(KEYPOINTS[limb.first], KEYPOINTS[limb.second]) for limb in LIMBS}
    for side in ("right", "left"):
        for first, second in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee")):
            assert (f"{side}_{first}", f"{side}_{second}") in named
    assert sorted(limb.channel for limb in LIMBS) == list(range(0, 38, 2))
