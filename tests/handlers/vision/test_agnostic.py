"""What the mask of a try-on repaints and keeps, on a drawn person."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handlers.vision.agnostic import Category, agnostic_mask

HEIGHT_PX, WIDTH_PX, ARM_WIDTH_PX = 512, 384, 60
UPPER, TROUSERS, SHOE, FACE, LEFT_ARM, RIGHT_ARM, NECK = 4, 6, 9, 11, 14, 15, 18
CATEGORIES: tuple[Category, ...] = ("upper_body", "lower_body", "dresses")
JOINTS = {2: (140, 130), 3: (110, 210), 4: (90, 280), 5: (244, 130), 6: (274, 210), 7: (294, 280)}


def drawn() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A front view in a tee and trousers, bare lower arms."""
    labels = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    for x in (165, 220):
        cv2.line(labels, (x, 280), (x, 470), TROUSERS, 44)
        cv2.line(labels, (x, 480), (x, 490), SHOE, 40)
    for first, label in ((2, RIGHT_ARM), (5, LEFT_ARM)):
        elbow, wrist = np.array(JOINTS[first + 1]), np.array(JOINTS[first + 2])
        cv2.line(labels, tuple(elbow), tuple(wrist), label, 22)
        hand = (wrist + (wrist - elbow) * 0.45).astype(int)
        cv2.circle(labels, tuple(hand), 15, label, -1)
        cv2.line(labels, JOINTS[first], tuple(elbow), UPPER, 40)
    cv2.rectangle(labels, (140, 115), (244, 285), UPPER, -1)
    cv2.rectangle(labels, (178, 95), (206, 122), NECK, -1)
    cv2.ellipse(labels, (192, 70), (27, 36), 0, 0, 360, FACE, -1)
    keypoints = np.zeros((18, 3), np.float32)
    for index, (x, y) in JOINTS.items():
        keypoints[index] = x, y, 1
    return labels, keypoints


@pytest.mark.parametrize("category", CATEGORIES)
def test_head_hands_and_shoes_are_never_repainted(category: Category) -> None:
    labels, keypoints = drawn()
    mask = agnostic_mask(labels, keypoints, category, ARM_WIDTH_PX)
    assert mask.any()
    assert not mask[np.isin(labels, (FACE, SHOE))].any()
    fingers = np.isin(labels, (LEFT_ARM, RIGHT_ARM)) & (np.indices(labels.shape)[0] > 310)
    assert fingers.any()
    assert not mask[fingers].any()


@pytest.mark.parametrize(
    ("category", "repainted", "kept"),
    [
        ("upper_body", (UPPER, NECK), (TROUSERS,)),
        ("lower_body", (TROUSERS,), (UPPER, LEFT_ARM, RIGHT_ARM)),
        ("dresses", (UPPER, TROUSERS, NECK), ()),
    ],
)
def test_a_category_repaints_its_garment_and_keeps_the_other(
    category: Category, repainted: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    labels, keypoints = drawn()
    mask = agnostic_mask(labels, keypoints, category, ARM_WIDTH_PX)
    assert mask[np.isin(labels, repainted)].mean() > 0.99
    # outlines are approximated: a pixel at the hem may go either way
    assert mask[np.isin(labels, kept)].sum() < 0.01 * mask.sum()


@pytest.mark.parametrize("missing", [2, 3, 4])
def test_a_missing_joint_leaves_the_corner_alone(missing: int) -> None:
    labels, keypoints = drawn()
    keypoints[missing] = 0
    mask = agnostic_mask(labels, keypoints, "upper_body", ARM_WIDTH_PX)
    assert not mask[:90, :100].any()
    assert mask[labels == RIGHT_ARM].mean() > 0.95


def test_the_original_draws_a_missing_elbow_to_the_corner() -> None:
    labels, keypoints = drawn()
    keypoints[3] = 0
    mask = agnostic_mask(labels, keypoints, "upper_body", ARM_WIDTH_PX, guarded=False)
    assert mask[:90, :100].any()


def test_a_wrist_beyond_the_left_edge_is_drawn_where_it_is() -> None:
    labels, keypoints = drawn()
    keypoints[4, :2] = -30, 260
    mask = agnostic_mask(labels, keypoints, "upper_body", ARM_WIDTH_PX)
    assert mask[230, 40]
    assert not mask[200:300, 350:].any()


def test_a_mask_scales_with_its_frame() -> None:
    labels, keypoints = drawn()
    large = agnostic_mask(labels, keypoints, "upper_body", ARM_WIDTH_PX)
    half = cv2.resize(labels, (WIDTH_PX // 2, HEIGHT_PX // 2), interpolation=cv2.INTER_NEAREST)
    small = agnostic_mask(half, keypoints / 2, "upper_body", ARM_WIDTH_PX)
    # dilations are told in pixels of the frame, as in the original, hence not equal
    shrunk = large[::2, ::2]
    assert (small & shrunk).sum() > 0.8 * (small | shrunk).sum()


def test_nobody_gives_an_empty_mask() -> None:
    nobody = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    mask = agnostic_mask(nobody, np.zeros((18, 3), np.float32), "upper_body", ARM_WIDTH_PX)
    assert not mask.any()


@given(seed=st.integers(0, 2**32 - 1), category=st.sampled_from(CATEGORIES), guarded=st.booleans())
def test_any_map_and_points_give_one_piece_off_the_border(
    seed: int, category: Category, *, guarded: bool
) -> None:
    random = np.random.default_rng(seed)
    labels = cv2.resize(
        random.integers(0, 19, (8, 6), np.uint8), (48, 64), interpolation=cv2.INTER_NEAREST
    )
    keypoints = random.uniform(-40, 90, (18, 3)).astype(np.float32)
    mask = agnostic_mask(labels, keypoints, category, ARM_WIDTH_PX, guarded=guarded)
    assert cv2.connectedComponents(mask.astype(np.uint8))[0] <= 2
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()
