"""The outline of a body as a garment meets it: shoulder ridge, armpit, flanks, arms.

Distances are looked for along rays in the class map; where an arm hides an edge, or hair a
shoulder, the neighbours decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES, Body, Side, polygon
from handlers.vision.parsing import BACKGROUND, HAIR, LOWER, SKIN, UPPER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Point, Polyline

ARM_STATIONS: Final = 25
_WIDEST_SLEEVE: Final = 1.9  # times a bare arm; more is the torso beside it
FLANK_V: Final = np.linspace(0.15, 2.6, 50)  # torso lengths below the shoulders
RIDGE_U: Final = np.linspace(0.12, 0.62, 26)  # shoulder widths from the spine
_NECK_U: Final = 0.22  # shoulder widths from the spine; nearer, the neck hides the ridge
_BARE_ARM: Final = ((0.0, 0.14), (0.25, 0.122), (0.5, 0.108), (0.65, 0.105), (0.8, 0.09), (1.0, 0.06))
"""Half width of a bare arm in shoulder widths, from shoulder (0) to wrist (1)."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: stations along its axis from shoulder to wrist.

    axis: (25, 2) px; outward: (25, 2) unit normals away from the torso; outer, inner: (25,) half
    widths in px of what is seen there, sleeve included; bare: (25,) half widths of the arm without
    its sleeve, as far as its visible part tells; along_px: (25,) arc length. sleeve_end: 0..1,
    where the old sleeve ends. bulk: how much wider than a bare arm the old sleeve is.
    """

    axis: Polyline
    outward: Polyline
    outer: NDArray[np.float64]
    inner: NDArray[np.float64]
    bare: NDArray[np.float64]
    along_px: NDArray[np.float64]
    sleeve_end: float
    bulk: float


@dataclass(frozen=True, slots=True)
class SideShape:
    """One side of the outline.

    ridge: (26, 2) px, the top of the shoulder at RIDGE_U; tip: where the shoulder turns into the
    arm; pit: the armpit; flank_px: (50,) half width of torso and hips at FLANK_V.
    """

    ridge: Polyline
    tip: Point
    pit: Point
    flank_px: NDArray[np.float64]
    arm: Arm


@dataclass(frozen=True, slots=True)
class Shape:
    """Both sides of the outline, and where the old upper garment begins and ends.

    hem_v, neck_v: torso lengths below the shoulders, the hem and the lowest point of the neckline;
    neck_u: shoulder widths from the spine to where the neckline crosses the ridge.
    """

    sides: dict[Side, SideShape]
    hem_v: float
    neck_v: float
    neck_u: float


def measure(body: Body, parts: NDArray[np.float32]) -> Shape:
    """Measures the outline; parts: (5, H, W) class probabilities."""
    labels = parts.argmax(0).astype(np.uint8)
    arms = {side: _arm(body, side, labels) for side in SIDES}
    arm_masks = {side: _arm_mask(labels.shape, arms[side]) for side in SIDES}
    sides = {}
    for side in SIDES:
        flank = _flank(body, side, labels, arm_masks[side])
        ridge = _ridge(body, side, labels)
        tip = _tip(body, side, labels)
        pit = _pit(body, side, labels, arms[side], flank)
        sides[side] = SideShape(ridge, tip, pit, flank, arms[side])
    return Shape(sides, _hem(body, labels), *_neckline(body, labels, sides))


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


def bare_arm_px(body: Body) -> NDArray[np.float64]:
    """Half widths in px of a bare arm of this size at the stations."""
    at, half = zip(*_BARE_ARM, strict=True)
    return np.interp(np.linspace(0, 1, ARM_STATIONS), at, half) * body.scale_px


def _arm(body: Body, side: Side, labels: NDArray[np.uint8]) -> Arm:
    line, along = resample(body.arm(side), 60)
    line = np.stack([smooth(line[:, i], 4.0) for i in range(2)], -1)
    axis, along = resample(line, ARM_STATIONS)
    direction = np.gradient(axis, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
    outward = np.stack([-direction[:, 1], direction[:, 0]], -1) * -sign(side)
    bare = bare_arm_px(body)
    outer = _ray_px(labels, axis, outward, 0.5 * body.scale_px)
    inner = _ray_px(labels, axis, -outward, 0.5 * body.scale_px)
    outer = np.where(outer > _WIDEST_SLEEVE * bare, np.nan, np.maximum(outer, 0.6 * bare))
    inner = np.where(inner > _WIDEST_SLEEVE * bare, np.nan, np.maximum(inner, 0.6 * bare))
    outer, inner = _mended(outer, inner, bare), _mended(inner, outer, bare)
    inner = np.minimum(inner, 1.2 * outer)
    end = _sleeve_end(labels, axis)
    stations = np.linspace(0, 1, ARM_STATIONS)
    sleeve = (stations > 0.3) & (stations <= end)
    bulk = float(np.median((outer + inner)[sleeve] / (2 * bare[sleeve]))) if sleeve.any() else 1.0
    shown = (stations > max(end + 0.06, 0.25)) & (stations < 0.9)
    thick = float(np.median((outer + inner)[shown] / (2 * bare[shown]))) if shown.any() else 1.06
    bare = np.minimum(bare * np.clip(thick, 0.8, 1.3), np.maximum(outer, inner) * 0.99)
    return Arm(axis, outward, smooth(outer, 1.2), smooth(inner, 1.2), bare, along, end, bulk)


def _ray_px(
    labels: NDArray[np.uint8], axis: Polyline, direction: Polyline, reach_px: float
) -> NDArray[np.float64]:
    """How far each ray stays on the person, in px; reach_px when it never leaves."""
    steps = np.arange(0, reach_px, 1.0)
    points = axis[:, None] + direction[:, None] * steps[None, :, None]
    off = sample(labels, points) == BACKGROUND
    return np.where(off.any(1), off.argmax(1), reach_px).astype(np.float64)


def _mended(
    half: NDArray[np.float64], other: NDArray[np.float64], bare: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Unknown half widths taken from the other side of the arm, then from the neighbours."""
    ratio = np.where(np.isnan(half), other, half) / bare
    known = ~np.isnan(ratio)
    if not known.any():
        return bare.copy()
    stations = np.arange(len(half))
    return np.interp(stations, stations[known], ratio[known]) * bare


def _sleeve_end(labels: NDArray[np.uint8], axis: Polyline) -> float:
    """Where cloth turns to skin along the arm: the split that explains most stations."""
    seen = sample(labels, resample(axis, 150)[0])
    vote = np.where(seen == UPPER, 1.0, np.where(seen == SKIN, -1.0, 0.0))
    gain = np.concatenate([[0], np.cumsum(vote)])
    return float(gain.argmax() / len(vote))


def _arm_mask(shape: tuple[int, int], arm: Arm) -> NDArray[np.bool_]:
    """Elbow-side of the shoulder only: near the armpit arm and torso are one."""
    begin = ARM_STATIONS // 5
    outer = arm.axis + arm.outward * arm.outer[:, None]
    inner = arm.axis - arm.outward * arm.inner[:, None]
    return polygon(shape, np.concatenate([outer[begin:], inner[begin:][::-1]]))


def _flank(
    body: Body, side: Side, labels: NDArray[np.uint8], arm: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Half widths in px from the spine to where torso or hips end, at FLANK_V."""
    s = body.scale_px
    reach = np.arange(0, 1.1 * s, 1.0)
    spine = np.stack([body.at(0, v) for v in FLANK_V])
    points = spine[:, None] + body.across * sign(side) * reach[None, :, None]
    off = sample(labels, points) == BACKGROUND
    on_arm = sample(arm.astype(np.uint8), points) > 0
    near = reach < 0.30 * s
    edge = np.where(off.any(1), off.argmax(1), np.nan)
    arm_edge = np.where((on_arm & ~near).any(1), (on_arm & ~near).argmax(1), np.nan)
    first = np.fmin(edge, arm_edge)
    first = np.where((first < 0.25 * s) & (FLANK_V < 1.3), np.nan, first)
    outside = sample(np.ones_like(labels), spine) == 0
    first[outside] = np.nan
    known = ~np.isnan(first)
    if not known.any():
        return np.full(len(FLANK_V), 0.5 * s)
    whole = np.interp(FLANK_V, FLANK_V[known], first[known])
    return smooth(_median(whole), 0.8)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(values, 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)


def _ridge(body: Body, side: Side, labels: NDArray[np.uint8]) -> Polyline:
    """The top of the shoulder, from the neck outwards."""
    s = body.scale_px
    climb = np.arange(-0.1 * s, 0.42 * s, 1.0)
    start = np.stack([body.shoulders + body.across * sign(side) * u * s for u in RIDGE_U])
    points = start[:, None] - body.down * climb[None, :, None]
    seen = sample(labels, points)
    on = (seen == UPPER) | (seen == SKIN)
    top = np.where(on.any(1), len(climb) - 1 - on[:, ::-1].argmax(1), 0)
    height = climb[top]
    shown = on.any(1) & ~(seen == HAIR).any(1) & (RIDGE_U > _NECK_U)
    usual = np.interp(RIDGE_U, (0.12, 0.36, 0.6), (0.36 * s, 0.22 * s, 0.08 * s))
    if shown.sum() < 6:
        return start - body.down * usual[:, None]
    slope, level = np.polyfit(RIDGE_U[shown][:8], height[shown][:8], 1)
    inward = level + np.clip(slope, -0.9 * s, -0.15 * s) * (RIDGE_U - RIDGE_U[shown][0])
    inward += np.median(height[shown][:8] - (level + slope * RIDGE_U[shown][:8])) + slope * RIDGE_U[shown][0]
    height = np.where(RIDGE_U < RIDGE_U[shown][0], inward, np.interp(RIDGE_U, RIDGE_U[shown], height[shown]))
    return start - body.down * smooth(np.maximum(height, 0), 1.0)[:, None]


def _tip(body: Body, side: Side, labels: NDArray[np.uint8]) -> Point:
    """The end of the shoulder: from the joint up and out to the edge."""
    s = body.scale_px
    ray = body.across * sign(side) * 0.55 - body.down * 0.835
    joint = body.joint(side, "shoulder")
    far = _ray_px(labels, joint[None], ray[None], 0.3 * s)[0]
    return joint + ray * float(np.clip(far, 0.08 * s, 0.22 * s))


def bare_tip(body: Body, side: Side, tip: Point) -> Point:
    """The end of the shoulder itself, under an old garment whose shoulder stands off."""
    joint = body.joint(side, "shoulder")
    distance = float(np.linalg.norm(tip - joint)) + 1e-6
    return joint + (tip - joint) * min(1.0, 0.15 * body.scale_px / distance)


def _pit(
    body: Body, side: Side, labels: NDArray[np.uint8], arm: Arm, flank: NDArray[np.float64]
) -> Point:
    """The armpit: the top of the gap between arm and torso, or where it usually is."""
    s = body.scale_px
    usual = 0.42 * s / body.torso_px
    gap = usual
    for v in np.arange(usual * 0.6, usual * 1.3, 0.01):
        x = np.interp(v, FLANK_V, flank)
        point = body.shoulders + body.across * sign(side) * (x + 2) + body.down * v * body.torso_px
        if sample(labels, point) == BACKGROUND:
            gap = v
            break
    v = min(usual, gap)
    chest = flank[(v + 0.1 < FLANK_V) & (v + 0.25 > FLANK_V)]
    half = float(np.clip(np.median(chest), 0.38 * s, 0.56 * s))
    return body.shoulders + body.across * sign(side) * half + body.down * v * body.torso_px


def _hem(body: Body, labels: NDArray[np.uint8]) -> float:
    """Where the old upper garment ends above the hips, in torso lengths."""
    v = np.arange(0.5, 1.6, 0.01)
    u = np.linspace(-0.25, 0.25, 11)
    rows = body.shoulders + body.down * (v * body.torso_px)[:, None, None] + body.across * (u * body.scale_px)[None, :, None]
    seen = sample(labels, rows)
    upper, rest = (seen == UPPER).sum(1), ((seen == LOWER) | (seen == BACKGROUND)).sum(1)
    gain = np.concatenate([[0], np.cumsum(upper - rest)])
    return float(np.append(v, v[-1])[gain.argmax()])


def _neckline(
    body: Body, labels: NDArray[np.uint8], sides: dict[Side, SideShape]
) -> tuple[float, float]:
    """Where skin turns to cloth down the spine (v) and along the ridges (u)."""
    v = np.arange(-0.4, 0.5, 0.005)
    spine = body.shoulders + body.down * (v * body.torso_px)[:, None]
    columns = spine[:, None] + body.across * (np.linspace(-0.04, 0.04, 5) * body.scale_px)[None, :, None]
    down = _first_cloth(v, (sample(labels, columns) == UPPER).mean(1))
    inset = body.down * 0.03 * body.scale_px
    outward = [_first_cloth(RIDGE_U, (sample(labels, sides[s].ridge + inset) == UPPER).astype(float)) for s in SIDES]
    return down, float(np.mean(outward))


def _first_cloth(at: NDArray[np.float64], cloth: NDArray[np.float64]) -> float:
    """The position that best parts bare from covered."""
    vote = np.where(cloth > 0.5, 1.0, -1.0)
    gain = np.concatenate([[0], np.cumsum(vote)])
    return float(np.append(at, at[-1])[gain.argmin()])
