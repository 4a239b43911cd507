"""The outline of hips and legs as trousers and skirts meet it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.body import SIDES, Body, Side
from handlers.vision.lines import resample, sample, sign, smooth
from handlers.vision.parsing import BACKGROUND, LOWER, SKIN, UPPER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Polyline

LEG_ROWS: Final = 60
_TOP_V: Final = 0.6
_CROTCH_V: Final = 1.22  # torso lengths below the shoulders, where no gap between the legs tells
_BARE_LEG: Final = ((0.0, 0.27), (0.3, 0.23), (0.55, 0.16), (0.75, 0.155), (1.0, 0.085))


@dataclass(frozen=True, slots=True)
class Leg:
    """One half of the lower body, row by row from the waist to the ankle.

    axis: (60, 2) px; outer, inner: (60,) px from the axis to the outline, along `across`; hem:
    0..1 of the rows, where the old lower garment ends. bare: (60,) half widths of a bare leg, px.
    """

    axis: Polyline
    outer: NDArray[np.float64]
    inner: NDArray[np.float64]
    bare: NDArray[np.float64]
    hem: float


@dataclass(frozen=True, slots=True)
class Legs:
    """Both halves; crotch: 0..1 of the rows. apart: whether a gap shows between the legs."""

    sides: dict[Side, Leg]
    crotch: float
    apart: bool


def measure_legs(body: Body, labels: NDArray[np.uint8]) -> Legs:
    """Measures hips and legs; labels: (H, W) uint8 class of each pixel."""
    axes = {side: _axis(body, side) for side in SIDES}
    middle = (axes["left"] + axes["right"]) / 2
    sides = {side: _leg(body, side, axes[side], middle, labels) for side in SIDES}
    gap = sample(labels, middle) == BACKGROUND
    gap &= np.arange(LEG_ROWS) > 0.25 * LEG_ROWS
    run = np.flatnonzero(gap)
    down = (middle - body.shoulders) @ body.down / body.torso_px
    usual = float(np.interp(_CROTCH_V, down, np.linspace(0, 1, LEG_ROWS)))
    crotch = min(float(run[0]) / (LEG_ROWS - 1), usual + 0.1) if len(run) > 3 else usual
    return Legs(sides, crotch, len(run) > 3)


def _axis(body: Body, side: Side) -> Polyline:
    """From beside the spine at the waist through hip and knee to the ankle, (60, 2) px."""
    hip, knee, ankle = body.leg(side)
    waist = body.at(0, _TOP_V) + (hip - body.hips)
    return resample(np.stack([waist, hip, knee, ankle]), LEG_ROWS)[0]


def _leg(
    body: Body, side: Side, axis: Polyline, middle: Polyline, labels: NDArray[np.uint8]
) -> Leg:
    out = body.across * sign(side)
    reach = np.arange(0, 1.0 * body.scale_px, 1.0)
    outward = sample(labels, axis[:, None] + out * reach[None, :, None])
    hem = _hem(axis, labels)
    off = outward == BACKGROUND
    outer = np.where(off.any(1), off.argmax(1), np.nan)
    # a shirt over the waist and hands beside the hips hide the edge of what is worn there
    other = (outward == UPPER) | (
        (outward == SKIN) & (np.linspace(0, 1, LEG_ROWS) < hem - 0.02)[:, None]
    )
    before = np.arange(len(reach)) < np.nan_to_num(outer, nan=len(reach))[:, None]
    outer[(other & before).any(1)] = np.nan
    half = np.maximum(np.abs((middle - axis) @ body.across), 1.0)
    inward = sample(labels, axis[:, None] - out * reach[None, :, None]) == BACKGROUND
    first = np.where(inward.any(1), inward.argmax(1), np.inf)
    inner = np.minimum(first, half)
    known = ~np.isnan(outer) & (outer > 0.04 * body.scale_px)
    rows = np.arange(LEG_ROWS)
    outer = np.interp(rows, rows[known], outer[known]) if known.any() else half
    at, share = zip(*_BARE_LEG, strict=True)
    hips = max(0, int(0.3 * LEG_ROWS))
    t = np.clip((rows - hips) / (LEG_ROWS - 1 - hips), 0, 1)
    bare = np.interp(t, at, share) * body.scale_px
    bare = np.minimum(bare, np.maximum((outer + inner) / 2 * 0.97, 1))
    return Leg(axis, smooth(outer, 0.8), smooth(inner, 0.5), bare, hem)


def _hem(axis: Polyline, labels: NDArray[np.uint8]) -> float:
    """Where cloth turns to skin down the leg: 0..1 of the rows."""
    seen = sample(labels, resample(axis, 180)[0])
    vote = np.where((seen == LOWER) | (seen == UPPER), 1.0, np.where(seen == SKIN, -1.0, 0.0))
    gain = np.concatenate([[0], np.cumsum(vote)])
    best = gain.max()
    return float(np.flatnonzero(gain >= best - 0.5)[-1] / len(vote))
