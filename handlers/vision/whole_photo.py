"""What was found in the frame that a network works in, told in the whole photo's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision import crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.frame import Frame

_HALF: Final = 128
_WHITE: Final = 255


def labels_in_photo(frame: Frame, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A (h, w) label map of the frame as one of the photo, 0 outside the frame's box: (H, W)."""
    left, top, right, bottom = crop.whole_box(frame.box)
    result = np.zeros(frame.photo.shape[:2], np.uint8)
    result[top:bottom, left:right] = crop.resized_labels(labels, right - left, bottom - top)
    return result


def mask_in_photo(frame: Frame, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A (h, w) mask of the frame as one of the photo: (H, W), 0 or 255, its border smooth."""
    left, top, right, bottom = crop.whole_box(frame.box)
    white = mask.astype(np.uint8) * np.uint8(_WHITE)
    result = np.zeros(frame.photo.shape[:2], np.uint8)
    smooth = crop.resized(white, right - left, bottom - top) >= _HALF
    result[top:bottom, left:right] = smooth * np.uint8(_WHITE)
    return result


def points_in_photo(
    frame: Frame, keypoints: NDArray[np.float32], size: tuple[int, ...]
) -> NDArray[np.float32]:
    """Key points (18, 3) of a frame of `size` (height, width) in the photo; zeros stay missing."""
    left, top, right, bottom = crop.whole_box(frame.box)
    height, width = size[:2]
    scale = np.array([(right - left) / width, (bottom - top) / height, 1], np.float32)
    moved = keypoints * scale + np.array([left, top, 0], np.float32)
    return np.where(keypoints.any(1, keepdims=True), moved, 0).astype(np.float32)
