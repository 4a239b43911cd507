import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.vision.frame import Frame


@settings(max_examples=100, deadline=None)
@given(width=st.integers(8, 90), height=st.integers(8, 90), auto_crop=st.booleans())
def test_what_is_pasted_back_lies_where_it_was_seen(
    width: int, height: int, *, auto_crop: bool
) -> None:
    photo = np.full((height, width, 3), 40, np.uint8)
    frame = Frame.of(photo, 48, 64, auto_crop=auto_crop)
    assert frame.view(photo).shape == (64, 48, 3)
    pasted = frame.paste(np.full((64, 48, 3), 200, np.uint8))
    assert pasted.shape == photo.shape
    changed = np.any(pasted != photo, axis=2)
    assert changed.all() if not auto_crop else changed.any()
    rows, columns = np.nonzero(changed)
    assert changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_a_photo_of_the_painted_size_is_untouched() -> None:
    photo = np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8)
    frame = Frame.of(photo, 48, 64, auto_crop=True)
    assert np.array_equal(frame.view(photo), photo)
    assert np.array_equal(frame.paste(photo), photo)


def test_a_mask_of_another_size_is_laid_over_the_whole_photo() -> None:
    frame = Frame.of(np.zeros((128, 96, 3), np.uint8), 48, 64, auto_crop=True)
    mask = np.zeros((32, 24), np.uint8)
    mask[:16] = 255
    seen = frame.view(mask)
    assert seen.shape == (64, 48)
    assert seen[:28].min() > 128
    assert seen[36:].max() < 128
