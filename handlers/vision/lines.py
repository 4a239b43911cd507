"""Polylines and rays on label maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from handlers.vision.parsing import BACKGROUND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Polyline, Side


def sign(side: Side) -> float:
    """-1 for the left of the picture, 1 for the right."""
    return -1.0 if side == "left" else 1.0


def sample(labels: NDArray[np.uint8], points: Polyline) -> NDArray[np.uint8]:
    """Labels at points (..., 2); outside the picture counts as background."""
    x, y = np.rint(points[..., 0]).astype(int), np.rint(points[..., 1]).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < labels.shape[1]) & (y < labels.shape[0])
    found = labels[np.clip(y, 0, labels.shape[0] - 1), np.clip(x, 0, labels.shape[1] - 1)]
    return np.where(inside, found, BACKGROUND).astype(np.uint8)


def smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A Gaussian along one axis, with the ends repeated."""
    column = np.ascontiguousarray(values, np.float64).reshape(-1, 1)
    size = (1, 2 * int(3 * sigma) + 1)
    blurred = cv2.GaussianBlur(column, size, 0.1, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred.ravel()


def to_edge(
    background: NDArray[np.float32], points: Polyline, outward: Polyline, reach_px: float
) -> Polyline:
    """Moves points along their normals to the seen outline, where it lies within reach.

    background: (H, W) float32, 0..1; points, outward: (N, 2).
    """
    steps = np.arange(-reach_px, reach_px + 1.0)
    rays = points[:, None] + outward[:, None] * steps[None, :, None]
    x = np.clip(np.rint(rays[..., 0]).astype(int), 0, background.shape[1] - 1)
    y = np.clip(np.rint(rays[..., 1]).astype(int), 0, background.shape[0] - 1)
    off = background[y, x] > 0.5
    turns = off[:, 1:] & ~off[:, :-1]
    distance = np.where(turns, np.abs(steps[1:]), np.inf)
    move = np.where(turns.any(1), steps[1:][distance.argmin(1)], 0.0)
    return points + outward * move[:, None]


def resample(line: Polyline, count: int) -> tuple[Polyline, NDArray[np.float64]]:
    """Points at equal steps along a polyline and their arc lengths in px."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    arc = np.concatenate([[0], np.cumsum(steps)])
    at = np.linspace(0, arc[-1], count)
    return np.stack([np.interp(at, arc, line[:, i]) for i in range(2)], -1), at
