"""Bends a picture so that given points land on given points: the thin-plate spline.

Bookstein, Principal Warps, IEEE PAMI 11(6), 1989. Fitted from target to source, evaluated on a
coarse grid and enlarged, so that its cost does not grow with the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Polyline

    Box = tuple[int, int, int, int]

_UNIT_PX: Final = 100.0  # keeps the kernel matrix well conditioned
_STIFFNESS: Final = 1e-3


def spline_maps(
    source: Polyline, target: Polyline, box: Box, step_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel of a target box comes from.

    source, target: (N, 2) px, matching points. box: x0, y0, x1, y1 in the target. step_px: the
    grid on which the spline is evaluated. Returns two (y1 - y0, x1 - x0) float32 maps for
    cv2.remap.
    """
    x0, y0, x1, y1 = box
    columns, rows = max(3, (x1 - x0) // step_px + 1), max(3, (y1 - y0) // step_px + 1)
    # sampled at pixel centres, where cv2.resize expects its input
    x = (np.arange(columns) + 0.5) * (x1 - x0) / columns - 0.5 + x0
    y = (np.arange(rows) + 0.5) * (y1 - y0) / rows - 0.5 + y0
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    found = _evaluate(target / _UNIT_PX, source / _UNIT_PX, grid / _UNIT_PX) * _UNIT_PX
    field = found.astype(np.float32).reshape(rows, columns, 2)
    full = cv2.resize(field, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(full[..., 0]), np.ascontiguousarray(full[..., 1])


def _kernel(a: Polyline, b: Polyline) -> NDArray[np.float64]:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    return squared * np.log(squared + 1e-12)


def _evaluate(known: Polyline, values: Polyline, at: Polyline) -> Polyline:
    """The spline through values at known points, read off at others."""
    count = len(known)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(known, known) + _STIFFNESS * np.eye(count)
    system[:count, count:] = np.c_[np.ones(count), known]
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.lstsq(system, np.r_[values, np.zeros((3, 2))], rcond=None)[0]
    return _kernel(at, known) @ weights[:count] + np.c_[np.ones(len(at)), at] @ weights[count:]
