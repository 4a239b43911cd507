"""Measures trousers, shorts and skirts in their product photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.body import SIDES, Side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Polyline
    from handlers.vision.cutout import Cutout

ROWS: Final = 14
_LEG_GAP_PX: Final = 6
_HIGHEST_CROTCH: Final = 0.12  # of the height; a gap above it is a belt loop
_LOWEST_CROTCH: Final = 0.9  # a gap below it is a slit


@dataclass(frozen=True, slots=True)
class LowerGarment:
    """Trousers or a skirt, cut in halves down the middle.

    rgb: (H, W, 3) uint8 continued beyond the edge; alpha: (H, W) float32. edges: for each side
    (14, 2, 2) px, outer and inner point of each row from waist to hem; above the crotch, and in a
    skirt throughout, the inner point lies on the axis. crotch: 0..1 of the height, None in a skirt.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    edges: dict[Side, NDArray[np.float64]]
    crotch: float | None
    confidence: float
    category: str = "lower_body"

    @property
    def nbytes(self) -> int:
        """What the arrays occupy, in bytes."""
        return self.rgb.nbytes + self.alpha.nbytes

    @property
    def height_px(self) -> float:
        """Waist to hem."""
        return float(self.edges["left"][-1, 0, 1] - self.edges["left"][0, 0, 1])

    def half_px(self, at: NDArray[np.float64], side: Side) -> NDArray[np.float64]:
        """Half width from the axis at shares 0..1 of the height, the outer edge."""
        rows = np.abs(self.edges[side][:, 0, 0] - self.edges[side][0, 1, 0])
        return np.interp(at, np.linspace(0, 1, len(rows)), rows)


def analyse_lower(continued: NDArray[np.uint8], cutout: Cutout) -> LowerGarment:
    """Reads rows off the silhouette; continued: (H, W, 3) uint8, colours beyond the edge too."""
    mask = cutout.alpha > 0.5
    high = np.flatnonzero(mask.any(1))
    inset = max(2, int(0.008 * len(high)))
    rows = np.linspace(high[0] + inset, high[-1] - inset, ROWS).astype(int)
    top = np.flatnonzero(mask[rows[0] + inset])
    axis = (top[0] + top[-1]) / 2
    crotch_y = _crotch(mask[high[0] : high[-1]], axis)
    crotch_y = None if crotch_y is None else crotch_y + float(high[0])
    edges = {s: np.stack([_row(mask, int(y), axis, s, crotch_y) for y in rows]) for s in SIDES}
    crotch = None if crotch_y is None else (crotch_y - rows[0]) / float(rows[-1] - rows[0])
    uneven = np.abs(edges["left"][:, 0, 0] + edges["right"][:, 0, 0] - 2 * axis).mean() / np.ptp(
        np.flatnonzero(mask.any(0))
    )
    confidence = float(np.clip(1.05 - 2.5 * uneven - cutout.ground_noise / 30, 0, 1))
    return LowerGarment(continued, cutout.alpha, edges, crotch, confidence)


def _crotch(mask: NDArray[np.bool_], axis: float) -> float | None:
    """The highest row from which the legs stay apart; None in a skirt."""
    apart = np.array([_gap(row, axis) is not None for row in mask])
    low = int(0.97 * len(apart))
    joined = np.flatnonzero(~apart[:low])
    first = int(joined[-1]) + 1 if len(joined) else 0
    return float(first) if _HIGHEST_CROTCH < first / len(apart) < _LOWEST_CROTCH else None


def _gap(row: NDArray[np.bool_], axis: float) -> tuple[int, int] | None:
    """The gap between two legs nearest the axis: last pixel of the left, first of the right."""
    on = np.flatnonzero(row)
    if not len(on):
        return None
    jumps = np.flatnonzero(np.diff(on) > _LEG_GAP_PX)
    if not len(jumps):
        return None
    middles = (on[jumps] + on[jumps + 1]) / 2
    best = jumps[int(np.abs(middles - axis).argmin())]
    return int(on[best]), int(on[best + 1])


def _row(
    mask: NDArray[np.bool_], y: int, axis: float, side: Side, crotch_y: float | None
) -> Polyline:
    """Outer and inner point of one row: (2, 2)."""
    on = np.flatnonzero(mask[y])
    outer = float(on[0] if side == "left" else on[-1])
    inner = axis
    if crotch_y is not None and y >= crotch_y:
        gap = _gap(mask[y], axis)
        inner = axis if gap is None else float(gap[0] if side == "left" else gap[1])
    return np.array([[outer, y], [inner, y]], np.float64)
