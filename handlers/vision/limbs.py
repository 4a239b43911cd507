"""Which limb a pixel belongs to: the bone it lies nearest to, measured in that limb's girths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Body, Point, Polyline, Side


@dataclass(frozen=True, slots=True)
class Limb:
    """A chain of bones: (N, 2) px, and the half girth in px that a pixel's distance is told in."""

    bones: Polyline
    girth_px: float


def arm(body: Body, side: Side) -> Limb:
    """From the shoulder to the fingertips; side is the picture's."""
    return Limb(np.vstack([body.arm(side), body.fingertips(side)]), 0.12 * body.scale_px)


def leg(body: Body, side: Side) -> Limb:
    """From the hip to the toes; side is the picture's."""
    return Limb(np.vstack([body.leg(side), body.joint(side, "toes")]), 0.22 * body.scale_px)


def trunk(body: Body) -> Limb:
    """From the chin down the spine."""
    spine = np.stack([body.chin(), body.shoulders, body.hips])
    return Limb(spine, 0.5 * body.scale_px)


def girths(points: NDArray[np.float64], limb: Limb) -> NDArray[np.float64]:
    """How many half girths each of (N, 2) points lies from a limb's bones: (N,)."""
    bones = zip(limb.bones[:-1], limb.bones[1:], strict=True)
    return np.min([_distance_px(points, a, b) for a, b in bones], axis=0) / limb.girth_px


def _distance_px(points: NDArray[np.float64], a: Point, b: Point) -> NDArray[np.float64]:
    along = b - a
    t = np.clip((points - a) @ along / (along @ along + 1e-9), 0, 1)
    return np.linalg.norm(points - a - t[:, None] * along, axis=1)
