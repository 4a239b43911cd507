"""Joints and limbs in OpenPose's two fields (Cao et al. 2017, sections 2.2 and 2.3).

A heat map for each joint peaks where one may be; a part affinity field for each limb holds, along
the limb, unit vectors from its first joint to its second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.floating[Any]]
    Joints = NDArray[np.float64]  # (N, 3): x, y in pixels of the frame and score

JOINTS: Final = 18
_BLUR_SIGMA_PX: Final = 3.0
_BLUR_SIDE_PX: Final = 25  # four sigmas to each side
_MIN_HEAT: Final = 0.1
_SAMPLES: Final = 10  # along a limb
_MIN_ALIGNMENT: Final = 0.05
_ALIGNED_SHARE: Final = 0.8  # of the samples, at least


class Limb(NamedTuple):
    """Two joints in OpenPose's order and the first of the limb's two channels."""

    first: int
    second: int
    channel: int


LIMBS: Final = tuple(
    Limb(*row)
    for row in (
        (1, 2, 12),
        (1, 5, 20),
        (2, 3, 14),
        (3, 4, 16),
        (5, 6, 22),
        (6, 7, 24),
        (1, 8, 0),
        (8, 9, 2),
        (9, 10, 4),
        (1, 11, 6),
        (11, 12, 8),
        (12, 13, 10),
        (1, 0, 28),
        (0, 14, 30),
        (14, 16, 34),
        (0, 15, 32),
        (15, 17, 36),
        (2, 16, 18),
        (5, 17, 26),
    )
)
"""In the order in which people are put together; the last two confirm, and start nobody."""


def joints(heat: Field) -> Joints:
    """Finds the peaks of one (H, W) heat map, row by row; the score is the map's own value."""
    smooth = cv2.GaussianBlur(
        heat.astype(np.float64),
        (_BLUR_SIDE_PX, _BLUR_SIDE_PX),
        _BLUR_SIGMA_PX,
        borderType=cv2.BORDER_REFLECT,
    )
    rim = np.pad(smooth, 1)
    neighbours = (rim[:-2, 1:-1], rim[2:, 1:-1], rim[1:-1, :-2], rim[1:-1, 2:])
    peak = (smooth > _MIN_HEAT) & (smooth >= np.maximum.reduce(neighbours))
    y, x = np.nonzero(peak)
    return np.column_stack([x, y, heat[y, x]]).astype(np.float64)


def limbs(field: Field, first: Joints, second: Joints) -> list[tuple[int, int, float]]:
    """Pairs joints that a limb connects: their indices and its score, the surest first.

    field: (2, H, W); first, second: the candidates for both ends. A joint belongs to one limb.
    """
    if not (len(first) and len(second)):
        return []
    scores, connected = _connections(field, first, second)
    free_first, free_second = set(range(len(first))), set(range(len(second)))
    pairs = []
    for flat in np.argsort(-scores, axis=None, kind="stable"):
        a, b = divmod(int(flat), len(second))
        if connected[a, b] and a in free_first and b in free_second:
            pairs.append((a, b, float(scores[a, b])))
            free_first.remove(a)
            free_second.remove(b)
    return pairs


def _connections(
    field: Field, first: Joints, second: Joints
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How well the field runs from each first to each second joint: (N, M) score, and if at all."""
    start, end = np.broadcast_arrays(first[:, None, :2], second[None, :, :2])
    apart = end - start
    length_px = np.maximum(0.001, np.linalg.norm(apart, axis=2))
    x, y = np.rint(np.linspace(start, end, _SAMPLES)).astype(int).transpose(3, 0, 1, 2)
    along = field[:, y, x].transpose(1, 2, 3, 0) * (apart / length_px[..., None])
    alignment = along.sum(-1)
    # A limb longer than half the picture is less likely the longer it is.
    too_long = np.minimum(0.5 * field.shape[1] / length_px - 1, 0)
    score = alignment.mean(0) + too_long
    aligned = (alignment > _MIN_ALIGNMENT).sum(0) > _ALIGNED_SHARE * _SAMPLES
    return score, aligned & (score > 0)
