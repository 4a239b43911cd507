"""Into a parsing network and out of it again: SCHP's frames, and one label map of its two nets.

A photo lies centred in a square, as large as its longer side; corner pixels meet corner pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MEAN_BGR: Final = np.array([0.406, 0.456, 0.485], np.float32)
_STD_BGR: Final = np.array([0.225, 0.224, 0.229], np.float32)
_UPPER, _FACE, _LEFT_ARM, _RIGHT_ARM, _NECK = 4, 11, 14, 15, 18
_LIP_FACE: Final = 13
_LARGE_HOLE_PX: Final = 2000  # of a frame of 384 x 512; more is scene or a hand seen through


def network_input(rgb: NDArray[np.uint8], side_px: int) -> NDArray[np.float32]:
    """A (H, W, 3) photo as (1, 3, side, side) BGR planes, normalised."""
    transform = _to_square(rgb.shape[1], rgb.shape[0], side_px)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    square = cv2.warpAffine(bgr, transform, (side_px, side_px), flags=cv2.INTER_LINEAR)
    normalised = (square.astype(np.float32) / 255 - _MEAN_BGR) / _STD_BGR
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])


def labels_in_photo(
    logits: NDArray[np.floating[Any]], side_px: int, width_px: int, height_px: int
) -> NDArray[np.uint8]:
    """The likeliest class of each pixel of a photo, (H, W), from a net's (classes, h, w) logits.

    side_px: the square the net has seen. Classes are compared in the photo's own frame, so borders
    between them are as sharp as it is.
    """
    transform = _to_square(width_px, height_px, side_px)
    size = (width_px, height_px)
    best = np.full((height_px, width_px), -np.inf, np.float32)
    labels = np.zeros((height_px, width_px), np.uint8)
    for label, plane in enumerate(logits):
        square = _stretched(plane.astype(np.float32), side_px)
        seen = cv2.warpAffine(
            square, transform, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        labels[seen > best] = label
        np.maximum(best, seen, out=best)
    return labels


def merged(atr: NDArray[np.uint8], lip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """ATR's labels with holes in the upper garment mended and a neck where LIP sees no face.

    atr: (H, W) labels 0..17; lip: (H, W) labels 0..19 of the same photo. Gives labels 0..18.
    """
    result = _mended(atr)
    result[(result == _FACE) & (lip != _LIP_FACE)] = _NECK
    return result


def _mended(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What upper garment and arms enclose is upper garment, unless it is large."""
    arms = np.isin(labels, (_LEFT_ARM, _RIGHT_ARM))
    enclosed = holes((labels == _UPPER) | arms)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(
        enclosed.astype(np.uint8), connectivity=4
    )
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] <= _LARGE_HOLE_PX)
    result = labels.copy()
    result[enclosed & np.isin(pieces, small)] = _UPPER
    return result


def holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What cannot be reached from outside the picture: (H, W) bool."""
    padded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(padded, None, (0, 0), 1)
    return padded[1:-1, 1:-1] == 0


def _to_square(width_px: int, height_px: int, side_px: int) -> NDArray[np.float64]:
    """The 2 x 3 affine map from a photo's pixels to the square's."""
    scale = (side_px - 1) / (max(width_px, height_px, 2) - 1)
    middle = (side_px - 1) / 2
    left = middle - scale * (width_px - 1) / 2
    top = middle - scale * (height_px - 1) / 2
    return np.array([[scale, 0.0, left], [0.0, scale, top]])


def _stretched(plane: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    """Scales (h, w) to (side, side), linearly between corner pixels that meet corner pixels.

    Written out: OpenCV's linear interpolation knows no such corners, and steps in 1/32 pixels.
    """
    first, second, share = _between(plane.shape[1], side_px)
    across = plane[:, first] * (1 - share) + plane[:, second] * share
    first, second, share = _between(plane.shape[0], side_px)
    down = share[:, None]
    return across[first] * (1 - down) + across[second] * down


def _between(
    count: int, wanted: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each wanted sample: its two neighbours of `count`, and the share of the second."""
    at = np.arange(wanted, dtype=np.float32) * np.float32((count - 1) / max(1, wanted - 1))
    first = np.minimum(at.astype(np.intp), count - 1)
    return first, np.minimum(first + 1, count - 1), (at - first).astype(np.float32)
