"""Continues what is known into what is not: background behind a person, cloth beyond its edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.float32]


def push_pull(
    values: NDArray[np.float32], known: Mask, smallest_px: int = 2
) -> NDArray[np.float32]:
    """Fills the unknown smoothly from all sides (Gortler et al., The Lumigraph, 1996).

    values: (H, W, C) float32; known: (H, W) float32 weights, 0 = to be filled. Known pixels keep
    their values as far as their weight is 1.
    """
    height, width = known.shape
    if min(height, width) <= smallest_px or known.min() > 0.99:
        mean = (values * known[..., None]).sum((0, 1)) / max(float(known.sum()), 1e-6)
        return (values * known[..., None] + mean * (1 - known[..., None])).astype(np.float32)
    half = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    weight = cv2.resize(cv2.blur(known, (3, 3)), half, interpolation=cv2.INTER_AREA)
    weighted = cv2.blur(values * known[..., None], (3, 3))
    small = cv2.resize(weighted, half, interpolation=cv2.INTER_AREA).reshape(half[1], half[0], -1)
    coarse = push_pull(small / np.maximum(weight, 1e-6)[..., None], np.minimum(weight * 4, 1))
    up = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return values * known[..., None] + up.reshape(values.shape) * (1 - known[..., None])


def filled(rgb: NDArray[np.uint8], known: Mask, shrink: int) -> NDArray[np.uint8]:
    """A picture whose unknown pixels continue the known ones, worked out `shrink` times smaller.

    rgb: (H, W, 3) uint8; known: (H, W) float32. Returns (H, W, 3) uint8; known pixels unchanged.
    """
    height, width = known.shape
    size = (max(2, width // shrink), max(2, height // shrink))
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    weight = np.where(weight > 0.95, weight, 0).astype(np.float32)  # no mixed pixels as witnesses
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth = push_pull(small, weight)
    up = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC)
    mixed = rgb * known[..., None] + up * (1 - known[..., None])
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def spread(rgb: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Gives every unknown pixel the colour of the nearest known one: stripes run on.

    rgb: (H, W, 3) uint8; known: (H, W) bool, somewhere true.
    """
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((labels.max() + 1, 3), np.uint8)
    colours[labels[known]] = rgb[known]
    return colours[labels]
