"""The 3:4 part of a photo and the way back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handlers.vision import crop

sides = st.integers(16, 300)


@given(sides, sides)
def test_a_crop_is_centred_and_three_to_four(width_px: int, height_px: int) -> None:
    left, top, right, bottom = crop.crop_box(width_px, height_px)
    assert left == width_px - right
    assert top == height_px - bottom
    assert abs((right - left) * 4 - (bottom - top) * 3) <= 4
    assert left == 0 or top == 0


@given(sides, sides, st.integers(0, 2**32 - 1))
def test_pasting_a_crop_back_changes_nothing(width_px: int, height_px: int, seed: int) -> None:
    photo = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    box = crop.crop_box(width_px, height_px)
    frame = crop.cropped(photo, box)
    assert (crop.paste_back(photo, frame, box) == photo).all()


def test_what_lies_outside_the_crop_stays() -> None:
    photo = np.full((60, 101, 3), 7, np.uint8)
    box = crop.crop_box(101, 60)
    pasted = crop.paste_back(photo, np.full((1024, 768, 3), 200, np.uint8), box)
    left, _, right, _ = crop.whole_box(box)
    assert (pasted[:, left:right] == 200).all()
    assert (pasted[:, :left] == 7).all()
    assert (pasted[:, right:] == 7).all()
    assert (photo == 7).all()


def test_labels_are_never_mixed() -> None:
    labels = np.random.default_rng(3).choice(np.array([0, 18], np.uint8), (50, 40))
    for width_px, height_px in ((384, 512), (13, 17)):
        assert set(np.unique(crop.resized_labels(labels, width_px, height_px))) == {0, 18}
