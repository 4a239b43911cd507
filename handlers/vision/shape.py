"""The outline of a body as a garment meets it: shoulder ridge, armpit, flanks, arms.

Distances are looked for along rays in the class map; where an arm hides an edge, or hair a
shoulder, the neighbours decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.arms import Arm, arm_mask, measure_arm, ray_px
from handlers.vision.body import SIDES, Body, Side, capsules
from handlers.vision.lines import sample, sign, smooth
from handlers.vision.parsing import BACKGROUND, HAIR, LOWER, SKIN, UPPER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Point, Polyline

_LOWEST_FLANK_V: Final = 1.15  # below, the legs part
FLANK_V: Final = np.linspace(0.15, 2.6, 50)  # torso lengths below the shoulders
RIDGE_U: Final = np.linspace(0.12, 0.62, 26)  # shoulder widths from the spine
_NECK_U: Final = 0.22  # shoulder widths from the spine; nearer, the neck hides the ridge


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


def measure(body: Body, labels: NDArray[np.uint8]) -> Shape:
    """Measures the outline; labels: (H, W) uint8 class of each pixel."""
    arms = {side: measure_arm(body, side, labels) for side in SIDES}
    arm_masks = {
        side: arm_mask(labels.shape, arms[side]) | _hand(body, side, labels) for side in SIDES
    }
    sides = {}
    for side in SIDES:
        flank = _flank(body, side, labels, arm_masks[side])
        ridge = _ridge(body, side, labels)
        tip = _tip(body, side, labels)
        pit = _pit(body, side, labels, flank)
        sides[side] = SideShape(ridge, tip, pit, flank, arms[side])
    return Shape(sides, _hem(body, labels), *_neckline(body, labels, sides))


def _hand(body: Body, side: Side, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    reach = 0.12 * body.scale_px
    line = [body.joint(side, "wrist"), body.fingertips(side)]
    return capsules(labels.shape, line, [0.7 * reach, reach])


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
    first = np.where((first < 0.25 * s) | (FLANK_V > _LOWEST_FLANK_V), np.nan, first)
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
    inward += (
        np.median(height[shown][:8] - (level + slope * RIDGE_U[shown][:8]))
        + slope * RIDGE_U[shown][0]
    )
    height = np.where(
        RIDGE_U[shown][0] > RIDGE_U, inward, np.interp(RIDGE_U, RIDGE_U[shown], height[shown])
    )
    return start - body.down * smooth(np.maximum(height, 0), 1.0)[:, None]


def _tip(body: Body, side: Side, labels: NDArray[np.uint8]) -> Point:
    """The end of the shoulder: from the joint up and out to the edge."""
    s = body.scale_px
    ray = body.across * sign(side) * 0.55 - body.down * 0.835
    joint = body.joint(side, "shoulder")
    far = ray_px(labels, joint[None], ray[None], 0.3 * s)[0]
    return joint + ray * float(np.clip(far, 0.08 * s, 0.22 * s))


def bare_tip(body: Body, side: Side, tip: Point) -> Point:
    """The end of the shoulder itself, under an old garment whose shoulder stands off."""
    joint = body.joint(side, "shoulder")
    distance = float(np.linalg.norm(tip - joint)) + 1e-6
    return joint + (tip - joint) * min(1.0, 0.15 * body.scale_px / distance)


def _pit(body: Body, side: Side, labels: NDArray[np.uint8], flank: NDArray[np.float64]) -> Point:
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
    rows = (
        body.shoulders
        + body.down * (v * body.torso_px)[:, None, None]
        + body.across * (u * body.scale_px)[None, :, None]
    )
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
    columns = (
        spine[:, None] + body.across * (np.linspace(-0.04, 0.04, 5) * body.scale_px)[None, :, None]
    )
    down = _first_cloth(v, (sample(labels, columns) == UPPER).mean(1))
    inset = body.down * 0.03 * body.scale_px
    outward = [
        _first_cloth(RIDGE_U, (sample(labels, sides[s].ridge + inset) == UPPER).astype(float))
        for s in SIDES
    ]
    return down, float(np.mean(outward))


def _first_cloth(at: NDArray[np.float64], cloth: NDArray[np.float64]) -> float:
    """The position that best parts bare from covered."""
    vote = np.where(cloth > 0.5, 1.0, -1.0)
    gain = np.concatenate([[0], np.cumsum(vote)])
    return float(np.append(at, at[-1])[gain.argmin()])
