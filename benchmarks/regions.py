"""Regions of a picture: sets of pixels as boolean masks, grown, shrunk and compared."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

RGB: TypeAlias = NDArray[np.uint8]  # (H, W, 3), 0..255
Mask: TypeAlias = NDArray[np.bool_]  # (H, W)

_MAJORITY_OF_25 = 13


def grow(mask: Mask, radius_px: int) -> Mask:
    """Every pixel within `radius_px` of the region, the region included."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(radius_px)), bool)


def shrink(mask: Mask, radius_px: int) -> Mask:
    """The pixels farther than `radius_px` from the outside; beyond the frame is outside."""
    eroded = cv2.erode(
        mask.astype(np.uint8), _disc(radius_px), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)
    )
    return np.asarray(eroded, bool)


def inner_band(mask: Mask, width_px: int) -> Mask:
    """The rim of the region: its pixels within `width_px` of the outside."""
    return mask & ~shrink(mask, width_px)


def difference(a: RGB, b: RGB) -> NDArray[np.uint8]:
    """Largest difference of any channel, (H, W), 0..255."""
    largest: NDArray[np.uint8] = cv2.absdiff(a, b).max(axis=-1)
    return largest


def changed(a: RGB, b: RGB, threshold: int) -> Mask:
    """Where the pictures differ by more than `threshold`, cleaned by a 5x5 majority."""
    differs = (difference(a, b) > threshold).astype(np.float32)
    votes = cv2.boxFilter(differs, -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(votes > _MAJORITY_OF_25 - 0.5)


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union, 0..1; 0 where both regions are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def around(mask: Mask, margin_px: int) -> tuple[slice, slice]:
    """The index of the region's bounding box with a margin, cut off at the frame."""
    ys, xs = np.nonzero(mask)
    return (
        slice(max(0, int(ys.min()) - margin_px), int(ys.max()) + margin_px),
        slice(max(0, int(xs.min()) - margin_px), int(xs.max()) + margin_px),
    )


def _disc(radius_px: int) -> NDArray[np.uint8]:
    """A filled circle of 2 * radius + 1 pixels, (D, D)."""
    steps = np.arange(-radius_px, radius_px + 1)
    return (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius_px**2).astype(np.uint8)
