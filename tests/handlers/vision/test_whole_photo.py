"""From the frame that is looked at back to the photo."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.vision import whole_photo
from handlers.vision.frame import Frame

WIDTH_PX, HEIGHT_PX = 384, 512
sides = st.integers(32, 1200)


def frame(width_px: int, height_px: int, *, auto_crop: bool = True) -> Frame:
    photo = np.zeros((height_px, width_px, 3), np.uint8)
    return Frame.of(photo, WIDTH_PX, HEIGHT_PX, auto_crop=auto_crop)


@given(sides, sides)
def test_labels_and_mask_have_the_photo_s_size(width_px: int, height_px: int) -> None:
    around = frame(width_px, height_px)
    labels = whole_photo.labels_in_photo(around, np.full((HEIGHT_PX, WIDTH_PX), 18, np.uint8))
    mask = whole_photo.mask_in_photo(around, np.ones((HEIGHT_PX, WIDTH_PX), bool))
    assert labels.shape == mask.shape == (height_px, width_px)
    assert ((labels == 18) == (mask == 255)).all()
    assert set(np.unique(mask)) <= {0, 255}


@given(sides, sides, st.booleans())
def test_a_joint_comes_back_to_where_it_was(
    width_px: int,
    height_px: int,
    auto_crop: bool,  # noqa: FBT001  drawn by position
) -> None:
    around = frame(width_px, height_px, auto_crop=auto_crop)
    corners = np.zeros((18, 3), np.float32)
    corners[0] = WIDTH_PX / 2, HEIGHT_PX / 2, 0.9
    found = whole_photo.points_in_photo(around, corners, (HEIGHT_PX, WIDTH_PX))
    assert found[0] == pytest.approx([width_px / 2, height_px / 2, 0.9], abs=1.0)
    assert not found[1:].any()


def test_a_mask_s_border_is_smooth_in_a_large_photo() -> None:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), bool)
    mask[np.triu_indices(HEIGHT_PX, m=WIDTH_PX)] = True  # a diagonal edge
    large = whole_photo.mask_in_photo(frame(1536, 2048), mask)
    first = (large > 0).argmax(0)
    assert not (large[0] == 0).any()
    edge = (large == 0).sum(0)
    assert np.abs(np.diff(edge[100:-100].astype(int))).max() <= 2  # steps of 4 px without it
    assert not first.any()
