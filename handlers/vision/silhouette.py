"""The outline of a garment and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Polyline, Side


@dataclass(frozen=True, slots=True)
class Silhouette:
    """An outline and its rows.

    mask: (H, W) bool; contour: (N, 2) px; top, bottom: rows; axis_x: the line of symmetry;
    left, right: (H,) edges of the run of each row that crosses the axis, NaN where none does.
    """

    mask: NDArray[np.bool_]
    contour: Polyline
    top: int
    bottom: int
    width: int
    axis_x: float
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    hem_y: float

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Silhouette:
        """Reads rows and contour off a mask."""
        contours, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        contour = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
        (x0, top), (x1, bottom) = contour.min(0).astype(int), contour.max(0).astype(int)
        height = bottom - top
        axis = (x0 + x1) / 2
        for _ in range(2):
            left, right = _runs_at(mask, axis)
            low = slice(top + int(0.5 * height), top + int(0.92 * height))
            axis = float(np.nanmedian((left[low] + right[low]) / 2))
        width = right - left
        usual = min(
            np.nanmedian(width[low]),
            np.nanmedian(width[top + int(0.45 * height) : top + int(0.7 * height)]),
        )
        wide = np.flatnonzero(width > 0.6 * usual)
        return cls(mask, contour, top, bottom, x1 - x0, axis, left, right, float(wide.max()))

    @property
    def height(self) -> int:
        """Top to bottom in px."""
        return self.bottom - self.top

    def edge(self, side: Side) -> NDArray[np.float64]:
        """The rows' edge of one side."""
        return self.left if side == "left" else self.right


def _runs_at(
    mask: NDArray[np.bool_], axis: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of each row's run through the axis."""
    column = round(axis)
    left = np.full(len(mask), np.nan)
    right = left.copy()
    for y in np.flatnonzero(mask[:, column]):
        off_left = np.flatnonzero(~mask[y, :column])
        off_right = np.flatnonzero(~mask[y, column:])
        left[y] = off_left[-1] + 1 if len(off_left) else 0
        right[y] = column + off_right[0] - 1 if len(off_right) else mask.shape[1] - 1
    return left, right
