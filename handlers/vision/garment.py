"""Measures a garment in its product photo: outline, shoulders, neck, sleeves, hem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.errors import Unfit
from handlers.vision.body import SIDES, Side
from handlers.vision.cutout import Cutout, cut_out
from handlers.vision.fill import spread
from handlers.vision.garment_sides import GarmentSide, find_sides
from handlers.vision.lower_garment import LowerGarment, analyse_lower
from handlers.vision.neckline import find_opening
from handlers.vision.silhouette import Silhouette

if TYPE_CHECKING:
    from numpy.typing import NDArray


_WORK_PX: Final = 1024
_MOST_GROUND_NOISE: Final = 14.0
_MOST_TOUCHING: Final = 0.35
_MOST_RAGGED: Final = 140.0


@dataclass(frozen=True, slots=True)
class Garment:
    """A garment ready to be laid on a body.

    rgb: (H, W, 3) uint8, its colours continued beyond its edge. alpha: (H, W) float32, 0..1.
    opening: (H, W) float32, the inside of the back collar, hidden by the neck once worn.
    sides: for upper_body and dresses. axis_x and hem_y in px. confidence: 0..1.
    """

    category: str
    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    opening: NDArray[np.float32]
    sides: dict[Side, GarmentSide]
    axis_x: float
    hem_y: float
    confidence: float

    @property
    def nbytes(self) -> int:
        """What the arrays occupy, in bytes."""
        return self.rgb.nbytes + self.alpha.nbytes + self.opening.nbytes

    @property
    def neck_y(self) -> float:
        """The lowest point of the neckline on the axis, px."""
        column = round(self.axis_x)
        shut = np.flatnonzero(self.alpha[:, column] * (1 - self.opening[:, column]) > 0.5)
        return float(shut[0]) if len(shut) else float(self.sides["left"].neck[1])

    @property
    def shoulder_px(self) -> float:
        """Between the shoulder tips."""
        return float(self.sides["right"].tip[0] - self.sides["left"].tip[0])


def analyse(rgb: NDArray[np.uint8], category: str) -> Garment | LowerGarment:
    """Measures a garment; rgb: (H, W, 3) uint8. Raises Unfit where there is none."""
    zoom = _WORK_PX / max(rgb.shape[:2])
    if zoom < 1:
        rgb = cv2.resize(rgb, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    cutout = usable(cut_out(rgb))
    if category == "lower_body":
        return analyse_lower(continued(rgb, cutout.alpha), cutout)
    return _analyse_upper(rgb, cutout, category)


def _analyse_upper(rgb: NDArray[np.uint8], cutout: Cutout, category: str) -> Garment:
    silhouette = Silhouette.of(cutout.alpha > 0.5)
    sides = find_sides(silhouette)
    opening = find_opening(
        rgb, silhouette.mask, {s: sides[s].neck for s in SIDES}, {s: sides[s].tip for s in SIDES}
    )
    return Garment(
        category=category,
        rgb=continued(rgb, cutout.alpha * (1 - opening)),
        alpha=cutout.alpha,
        opening=opening,
        sides=sides,
        axis_x=silhouette.axis_x,
        hem_y=silhouette.hem_y,
        confidence=_confidence(cutout, sides),
    )


def usable(cutout: Cutout | None) -> Cutout:
    """Refuses a photo that shows no garment on a plain ground."""
    if cutout is None:
        raise _unfit("no_garment", "nothing stands out from the ground")
    if cutout.ground_noise > _MOST_GROUND_NOISE or cutout.touching > _MOST_TOUCHING:
        raise _unfit("no_plain_ground", "the garment must lie on a plain ground, fully in view")
    if cutout.raggedness > _MOST_RAGGED:
        raise _unfit("no_garment", "no clear outline of a garment was found")
    return cutout


def _unfit(reason: str, why: str) -> Unfit:
    message = f"garment_image cannot be used: {why}"
    return Unfit(message, {"image": "garment_image", "reason": reason})


def continued(rgb: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spreads the garment's colours over its edge and beyond: (H, W, 3) uint8."""
    inside = cv2.erode((alpha > 0.9).astype(np.uint8), np.ones((5, 5), np.uint8))
    return spread(rgb, inside > 0)


def _confidence(cutout: Cutout, sides: dict[Side, GarmentSide]) -> float:
    """How much the outline looks like two equal halves of a garment: 0..1."""
    left, right = sides["left"], sides["right"]
    width = right.pit[0] - left.pit[0]
    uneven = abs(left.pit[1] - right.pit[1]) / width + abs(left.tip[1] - right.tip[1]) / width
    ragged = max(0.0, cutout.raggedness - 60) / 80
    return float(np.clip(1 - 0.8 * uneven - ragged - cutout.ground_noise / 30, 0, 1))
