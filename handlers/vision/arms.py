"""Arms as a sleeve meets them: axis, half widths, where the old sleeve ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.body import polygon
from handlers.vision.lines import resample, sample, sign, smooth
from handlers.vision.parsing import BACKGROUND, SKIN, UPPER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Body, Polyline, Side

ARM_STATIONS: Final = 25
_WIDEST_SLEEVE: Final = 1.9  # times a bare arm; more is the torso beside it
_BARE_ARM: Final = (
    (0.0, 0.14),
    (0.25, 0.122),
    (0.5, 0.108),
    (0.65, 0.105),
    (0.8, 0.09),
    (1.0, 0.06),
)
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

    def outline(self, widen: float, begin: float = 0.0, end: float = 1.0) -> Polyline:
        """The arm between stations 0..1, its half widths times `widen`: (N, 2) px."""
        first = min(int(np.ceil(begin * (ARM_STATIONS - 1))), ARM_STATIONS - 2)
        last = max(first + 2, int(end * (ARM_STATIONS - 1)) + 1)
        outer = self.axis + self.outward * self.outer[:, None] * widen
        inner = self.axis - self.outward * self.inner[:, None] * widen
        return np.concatenate([outer[first:last], inner[first:last][::-1]])


def bare_arm_px(body: Body) -> NDArray[np.float64]:
    """Half widths in px of a bare arm of this size at the stations."""
    at, half = zip(*_BARE_ARM, strict=True)
    return np.interp(np.linspace(0, 1, ARM_STATIONS), at, half) * body.scale_px


def measure_arm(body: Body, side: Side, labels: NDArray[np.uint8]) -> Arm:
    """Measures one arm; labels: (H, W) uint8 class of each pixel."""
    line, along = resample(body.arm(side), 60)
    line = np.stack([smooth(line[:, i], 4.0) for i in range(2)], -1)
    axis, along = resample(line, ARM_STATIONS)
    direction = np.gradient(axis, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
    outward = np.stack([-direction[:, 1], direction[:, 0]], -1) * -sign(side)
    bare = bare_arm_px(body)
    outer = ray_px(labels, axis, outward, 0.5 * body.scale_px)
    inner = ray_px(labels, axis, -outward, 0.5 * body.scale_px)
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


def ray_px(
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


def arm_mask(shape: tuple[int, ...], arm: Arm) -> NDArray[np.bool_]:
    """Elbow-side of the shoulder only: near the armpit arm and torso are one."""
    return polygon(shape, arm.outline(1.0, begin=0.2))
