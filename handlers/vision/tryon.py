"""Puts a garment on a person: warp, reveal, light, layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES, polygon
from handlers.vision.fit import Chart, Fit, fit_upper
from handlers.vision.light import contact_shadow, folds, roundness, toned
from handlers.vision.reveal import without_upper
from handlers.vision.shape import sign
from handlers.vision.warp import spline_maps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Side
    from handlers.vision.garment import Garment
    from handlers.vision.person import Person

    Mask = NDArray[np.float32]

_SNAP: Final = 0.012  # shoulder widths; slivers of old cloth thinner than this are covered
_PIT_WEDGE: Final = 0.11
_EDGE_PX: Final = 3  # old cloth's mixed edge pixels


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should know about a result."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Dressed:
    """A finished try-on.

    image: (H, W, 3) uint8; touched: (H, W) bool, everywhere else the photo is unchanged.
    """

    image: NDArray[np.uint8]
    touched: NDArray[np.bool_]
    confidence: float
    warnings: tuple[Notice, ...]

    @property
    def kept_share(self) -> float:
        """Share of the photo's pixels that are exactly as they were."""
        return float(1 - self.touched.mean())


@dataclass(frozen=True, slots=True)
class Cloth:
    """The new garment as it lies in the photo: rgb (H, W, 3) float32; alphas (H, W) 0..1."""

    rgb: NDArray[np.float32]
    alpha: Mask
    sleeves: Mask


def dress_upper(person: Person, garment: Garment) -> Dressed:
    """Puts on an upper garment or a dress."""
    fit = fit_upper(person, garment)
    cloth = lay(person, garment, fit)
    remove = _to_remove(person, fit, cloth)
    base = without_upper(person, fit, remove)
    above = _above(person, fit, cloth)
    lit = lighted(person, cloth, above)
    image = base + (lit - base) * cloth.alpha[..., None]
    image += (person.rgb - image) * above[..., None]
    changed = ((cloth.alpha > 0.004) | (remove > 0.004)) & (above < 0.996)
    return finished(person, image, changed, garment.confidence, _notices(fit))


def finished(
    person: Person,
    image: NDArray[np.float32],
    changed: NDArray[np.bool_],
    confidence: float,
    warnings: tuple[Notice, ...],
) -> Dressed:
    """Rounds, and puts the photo's own pixels wherever nothing was changed."""
    rounded = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    result = np.where(changed[..., None], rounded, person.rgb)
    return Dressed(result, changed, confidence, warnings)


def lay(person: Person, garment: Garment, fit: Fit) -> Cloth:
    """Warps torso and sleeves, joins them at the seams and covers slivers of the old garment."""
    shape = person.upper.shape
    rgb, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    sleeves = np.zeros(shape, np.float32)
    warp_chart(garment, fit.torso, rgb, alpha, person.body.scale_px)
    for chart in fit.sleeves.values():
        warp_chart(garment, chart, rgb, sleeves, person.body.scale_px)
    alpha = np.maximum(alpha, sleeves)
    alpha = _snapped(person, fit, _pits_closed(person, alpha))
    return Cloth(rgb, alpha, sleeves)


def warp_chart(
    garment: Garment, chart: Chart, rgb: NDArray[np.float32], alpha: Mask, scale_px: float
) -> None:
    """Paints one chart over what is there: colours a little beyond its outline, alpha up to it."""
    height, width = alpha.shape
    pad = int(0.12 * scale_px) + 4
    low, high = chart.outline.min(0).astype(int) - pad, chart.outline.max(0).astype(int) + pad
    x0, y0, x1, y1 = max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1])
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    map_x, map_y = spline_maps(chart.source, chart.target, (x0, y0, x1, y1), max(6, int(0.05 * scale_px)))
    colours = cv2.remap(garment.rgb, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    solid = cv2.dilate(garment.alpha, np.ones((7, 7), np.uint8)) * (1 - garment.opening)
    cover = cv2.remap(solid, map_x, map_y, cv2.INTER_LINEAR, borderValue=0)
    shifted = chart.outline - [x0, y0]
    inside = polygon((y1 - y0, x1 - x0), shifted)
    near = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(2, pad // 3))
    crop = np.s_[y0:y1, x0:x1]
    mine = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0) * cover
    unpainted = (alpha[crop] < 0.01) & (rgb[crop].sum(-1) == 0) & (near > 0)
    paint = np.where(unpainted, 1.0, mine)[..., None].astype(np.float32)
    rgb[crop] += (toned(colours) - rgb[crop]) * paint
    alpha[crop] = np.maximum(alpha[crop], mine)


def _pits_closed(person: Person, alpha: Mask) -> Mask:
    """Closes the wedges where sleeve and torso meet under the arm."""
    radius = max(2, int(_PIT_WEDGE * person.body.scale_px))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    closed = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    near = np.zeros(alpha.shape, np.uint8)
    for side in SIDES:
        x, y = np.rint(person.shape.sides[side].pit).astype(int)
        cv2.circle(near, (int(x), int(y)), 3 * radius, 1, -1)
    wedge = (closed > 0) & (near > 0) & (person.background < 0.5)
    return np.maximum(alpha, wedge * np.clip(2 - 2 * person.background, 0, 1)).astype(np.float32)


def _snapped(person: Person, fit: Fit, alpha: Mask) -> Mask:
    """Covers slivers of old cloth, and of skin beside a longer sleeve, along the new edge."""
    reach = max(2, int(_SNAP * person.body.scale_px))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    solid = (alpha > 0.5).astype(np.uint8)
    wide = cv2.dilate(solid, kernel)
    sliver = (wide > 0) & (person.upper > 0.3)
    for side in SIDES:
        longer = fit.sleeve_end[side] > person.shape.sides[side].arm.sleeve_end + 0.1
        arm = _beyond_armhole(person, fit, side, alpha.shape)
        if longer:
            sliver = np.where(arm, (wide > 0) & (person.skin > 0.5) & (person.hands[side] < 0.1), sliver)
        elif fit.sleeve_end[side] == 0:
            sliver &= ~arm
    covered = np.where(sliver, np.clip((person.upper + person.skin) * 1.6, 0, 1), 0)
    return np.maximum(alpha, covered).astype(np.float32)


def _beyond_armhole(
    person: Person, fit: Fit, side: Side, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """The arm's side of a sleeveless armhole: (H, W) bool."""
    out = person.body.across * sign(side) * 1.5 * person.body.scale_px
    armhole = fit.armholes[side]
    return polygon(shape, np.concatenate([armhole, armhole[::-1] + out]))


def _to_remove(person: Person, fit: Fit, cloth: Cloth) -> Mask:
    """Where the old garment, its edge included, has to go."""
    old = cv2.dilate((person.upper > 0.25).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=_EDGE_PX)
    over = np.maximum.reduce([person.head, person.hands["left"], person.hands["right"], person.lower])
    old[(over > 0.5) & (person.upper < 0.1)] = 0
    for side in fit.kept_sleeves:
        arm = person.shape.sides[side].arm
        wide = np.concatenate([arm.axis + arm.outward * arm.outer[:, None] * 1.3, (arm.axis - arm.outward * arm.inner[:, None] * 1.2)[::-1]])
        old[polygon(old.shape, wide)] = 0
    return cv2.GaussianBlur(old.astype(np.float32), (0, 0), 0.8)


def _above(person: Person, fit: Fit, cloth: Cloth) -> Mask:
    """What lies over the new garment: head and hair, hands, bare forearms before the torso."""
    over = person.head.copy()
    for side in SIDES:
        arm = person.shape.sides[side].arm
        over = np.maximum(over, person.hands[side])
        free = np.linspace(0, 1, len(arm.axis)) > max(arm.sleeve_end, fit.sleeve_end[side]) + 0.02
        if free.sum() < 3:
            continue
        wide = np.concatenate([
            (arm.axis + arm.outward * arm.outer[:, None] * 1.15)[free],
            (arm.axis - arm.outward * arm.inner[:, None] * 1.15)[free][::-1],
        ])
        forearm = polygon(over.shape, wide)
        over = np.maximum(over, np.where(forearm, person.skin, 0))
    covered = cloth.sleeves * (1 - np.maximum(person.hands["left"], person.hands["right"]))
    limbs_under_sleeve = np.where(person.head > 0.5, 0, covered)
    return np.clip(over - limbs_under_sleeve, 0, 1).astype(np.float32)


def lighted(person: Person, cloth: Cloth, above: Mask) -> NDArray[np.float32]:
    """The cloth in the light of the scene: (H, W, 3) float32."""
    scale = person.body.scale_px
    lightness = cv2.cvtColor(person.rgb, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    factor = folds(lightness, np.clip(person.upper * (1 - above), 0, 1), scale)
    factor *= roundness(cloth.alpha, scale) * contact_shadow(above, scale)
    return cloth.rgb * factor[..., None]


def _notices(fit: Fit) -> tuple[Notice, ...]:
    if not fit.kept_sleeves:
        return ()
    return (Notice("old_sleeves_kept", "the old sleeves are too wide to tell where the arms are"),)
