"""Body parts as the picture that IDM-VTON is conditioned on: one colour for each, black around.

The colours are OpenCV's Parula map sampled at part * 255 / 24, as DensePose's own visualiser does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Parts = NDArray[np.uint8]

PARTS: Final = 24  # of a body surface, numbered from 1; 0 is background


def palette() -> NDArray[np.uint8]:
    """The colour of each part: (25, 3) uint8 RGB; entry 0 is the map's first, never painted."""
    levels = (np.arange(PARTS + 1, dtype=np.float32) * (255 / PARTS)).astype(np.uint8)
    return cv2.applyColorMap(levels, cv2.COLORMAP_PARULA)[:, 0, ::-1]


def render(parts: Parts) -> NDArray[np.uint8]:
    """Paints part labels, (H, W) uint8 of 0..24, as (H, W, 3) uint8 RGB."""
    colours = palette()
    colours[0] = 0
    return colours[parts]


def placed(labels: Parts, corner_xy: Sequence[float], shape: tuple[int, ...]) -> Parts:
    """Puts one person's labels, (h, w), into an empty frame of `shape` (H, W, …).

    corner_xy: the upper left corner of the person's box in pixels, its fraction cut off; what
    passes the frame is lost.
    """
    frame = np.zeros(shape[:2], np.uint8)
    x, y = (int(value) for value in corner_xy[:2])
    window = frame[y:, x:][: labels.shape[0], : labels.shape[1]]
    window[:] = labels[: window.shape[0], : window.shape[1]]
    return frame
