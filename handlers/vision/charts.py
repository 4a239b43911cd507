"""Pieces of cloth and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from handlers.vision.body import Point, Polyline, Side


@dataclass(frozen=True, slots=True)
class Chart:
    """One piece of cloth: matching points and its outline on the body, all (N, 2) px."""

    source: Polyline
    target: Polyline
    outline: Polyline


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a garment lies.

    sleeve_end: how far each new sleeve reaches, in arm lengths (0: none). kept_sleeves: sides
    whose bulky old sleeve stays. hem_v: torso lengths below the shoulders.
    """

    torso: Chart
    sleeves: dict[Side, Chart]
    sleeve_end: dict[Side, float]
    armholes: dict[Side, Polyline]
    flanks: dict[Side, Polyline]
    kept_sleeves: tuple[Side, ...]
    hem_v: float

    def lengthens(self, side: Side, old_end: float) -> bool:
        """Whether a new sleeve goes clearly beyond the old one's end, in arm lengths."""
        return self.sleeve_end[side] > old_end + 0.05


@dataclass(frozen=True, slots=True)
class Edge:
    """One side of the torso chart on the body: ridge, armhole and flank, px."""

    ridge: Polyline
    armhole: Polyline
    flank: Polyline

    def line(self, lap: Point) -> Polyline:
        """From neck to hem, the armhole moved under its sleeve by a seam's lap."""
        return np.concatenate([self.ridge, self.armhole[1:-1] + lap, self.flank])
