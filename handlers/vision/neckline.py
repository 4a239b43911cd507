"""Finds the neck opening of a garment: the part of the photo that shows the inside of its back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import Side, polygon

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Point

_USUAL_DEPTH: Final = 0.26  # of the neck's width, where no edge tells
_SCOOP_DEPTH: Final = 0.5  # of the neck's width; deeper ones are V-shaped and keep their shape
_INSIDE, _FRONT, _OFF = 1, 2, 3


def find_opening(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    necks: dict[Side, Point],
    tips: dict[Side, Point],
) -> NDArray[np.float32]:
    """The opening as (H, W) float32, 0..1.

    rgb: (H, W, 3) uint8; mask: (H, W) bool silhouette; necks, tips: shoulder points in px. An open
    neck, whose outline shows the ground itself, has nothing to take away.
    """
    left, right = necks["left"], necks["right"]
    width = float(right[0] - left[0])
    axis = round((left[0] + right[0]) / 2)
    column = np.flatnonzero(mask[:, int(axis)])
    nothing = np.zeros(mask.shape, np.float32)
    if width < 12 or not len(column):
        return nothing
    top = float(column[0])
    if top - (left[1] + right[1]) / 2 > 0.22 * width:
        return nothing
    basin = _by_watershed(rgb, mask, necks, tips, top)
    depth = _USUAL_DEPTH * width if basin is None else _depth(basin, necks, width)
    opening = _scoop(mask.shape, necks, top, depth)
    if basin is not None and depth > _SCOOP_DEPTH * width:
        opening |= basin
    elif basin is not None and not _alike(opening, basin, necks):
        opening = _scoop(mask.shape, necks, top, _USUAL_DEPTH * width)
    return cv2.GaussianBlur(opening.astype(np.float32), (0, 0), 1.0)


def _by_watershed(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    necks: dict[Side, Point],
    tips: dict[Side, Point],
    top: float,
) -> NDArray[np.bool_] | None:
    """The basin behind the collar's edge; None where its edge is weak or its shape unlikely."""
    left, right = necks["left"], necks["right"]
    width, axis = right[0] - left[0], (left[0] + right[0]) / 2
    y0, y1 = (
        max(0, int(min(top, left[1], right[1]) - 0.1 * width)),
        min(mask.shape[0], int(top + 1.3 * width)),
    )
    x0, x1 = max(0, int(axis - 1.1 * width)), min(mask.shape[1], int(axis + 1.1 * width))
    markers = _markers(mask, necks, tips, top)
    crop = np.s_[y0:y1, x0:x1]
    basins = cv2.watershed(
        cv2.GaussianBlur(np.ascontiguousarray(rgb[crop]), (0, 0), 1.6), markers[crop].copy()
    )
    inside = np.zeros(mask.shape, bool)
    inside[crop] = basins == _INSIDE
    return _plausible(inside, rgb, width, top)


def _markers(
    mask: NDArray[np.bool_], necks: dict[Side, Point], tips: dict[Side, Point], top: float
) -> NDArray[np.int32]:
    """Where the watershed starts: inside the collar, on the front, off the garment."""
    left, right = necks["left"], necks["right"]
    width, axis = right[0] - left[0], (left[0] + right[0]) / 2
    markers = np.zeros(mask.shape, np.int32)
    seed = polygon(
        mask.shape,
        [
            np.array([axis + a * width, top + b * width])
            for a, b in ((-0.18, 0.05), (0.18, 0.05), (0.1, 0.11), (-0.1, 0.11))
        ],
    )
    for neck, tip in zip((left, right), (tips["left"], tips["right"]), strict=True):
        start = neck * 0.72 + tip * 0.28 + np.array([0, 0.12 * width])
        end = np.array([start[0] * 0.75 + axis * 0.25, top + 1.1 * width])
        cv2.polylines(
            markers,
            [np.array([tip + np.array([0, 0.1 * width]), start, end]).astype(np.int32)],
            isClosed=False,
            color=_FRONT,
            thickness=3,
        )
    cv2.line(
        markers,
        (int(axis - 0.5 * width), int(top + 1.15 * width)),
        (int(axis + 0.5 * width), int(top + 1.15 * width)),
        _FRONT,
        3,
    )
    markers[seed] = _INSIDE
    markers[~mask] = _OFF
    return markers


def _plausible(
    inside: NDArray[np.bool_], rgb: NDArray[np.uint8], width: float, top: float
) -> NDArray[np.bool_] | None:
    """A collar's opening is neither a dot nor the whole front, and has an edge all along."""
    rows = np.flatnonzero(inside.any(1))
    if not len(rows):
        return None
    share = inside.sum() / width**2
    depth = (rows.max() - top) / width
    if not (0.03 < share < 0.75 and 0.06 < depth < 1.05):
        return None
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    rim = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) - inside
    core = inside & ~cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    below = rim.astype(bool) & (np.arange(len(inside))[:, None] > top + 0.04 * width)
    if np.linalg.norm(np.median(lab[below], 0) - np.median(lab[core], 0)) < 7:
        return None
    return _without_dents(inside)


def _without_dents(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The convex hull, continued to the top of the collar."""
    hull = cv2.convexHull(np.argwhere(inside)[:, ::-1].astype(np.int32))
    canvas = np.zeros(inside.shape, np.uint8)
    cv2.fillPoly(canvas, [hull], 1)
    for x in np.flatnonzero(canvas.any(0)):
        canvas[: np.flatnonzero(canvas[:, x])[-1] + 1, x] = 1
    return cv2.dilate(canvas, np.ones((5, 5), np.uint8)) > 0


def _alike(scoop: NDArray[np.bool_], basin: NDArray[np.bool_], necks: dict[Side, Point]) -> bool:
    """Whether a basin is round as collars are, rather than the field of a plaid."""
    below = np.arange(len(scoop))[:, None] > (necks["left"][1] + necks["right"][1]) / 2
    both, either = (scoop & basin & below).sum(), ((scoop | basin) & below).sum()
    return bool(both > 0.7 * either)


def _depth(basin: NDArray[np.bool_], necks: dict[Side, Point], width: float) -> float:
    """The depth of the half ellipse with a basin's area below the line of the neck points, px."""
    rows = np.arange(len(basin))[:, None]
    area = (basin & (rows > (necks["left"][1] + necks["right"][1]) / 2)).sum()
    return float(area / (np.pi / 4 * width))


def _scoop(
    shape: tuple[int, ...], necks: dict[Side, Point], top: float, depth_px: float
) -> NDArray[np.bool_]:
    """Half an ellipse between the neck points, open to the top."""
    left, right = necks["left"], necks["right"]
    width, axis = right[0] - left[0], (left[0] + right[0]) / 2
    base = (left[1] + right[1]) / 2
    t = np.linspace(0, np.pi, 40)
    depth = max(depth_px, top - base + 0.06 * width)
    arc = np.stack([axis + 0.49 * width * np.cos(t), base + depth * np.sin(t) ** 0.9], 1)
    lid = np.array([[left[0], base - width], [right[0], base - width]])
    return polygon((shape[0], shape[1]), np.concatenate([arc, lid]))
