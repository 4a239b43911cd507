"""Puts an upper garment or a dress on a person: warp, reveal, light, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES, polygon
from handlers.vision.charts import Fit
from handlers.vision.fit import fit_upper
from handlers.vision.light import contact_shadow, folds, roundness
from handlers.vision.lines import sign
from handlers.vision.lower_tryon import lower_to_remove
from handlers.vision.result import Cloth, Dressed, Notice, finished, paint_chart
from handlers.vision.reveal import without_lower, without_upper
from handlers.vision.sleeves import SLEEVE_SNAP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Side
    from handlers.vision.garment import Garment
    from handlers.vision.person import Person

    Mask = NDArray[np.float32]

_SNAP: Final = 0.018  # shoulder widths; slivers of old cloth thinner than this are covered
_PIT_WEDGE: Final = 0.11
_STRIPE: Final = 0.03  # shoulder widths; wall-coloured stripes of the old garment are part of it
_EDGE_PX: Final = 3  # old cloth's mixed edge pixels


def dress_upper(person: Person, garment: Garment) -> Dressed:
    """Puts on an upper garment or a dress."""
    fit = fit_upper(person, garment)
    cloth = lay(person, garment, fit)
    remove = _to_remove(person, fit)
    base = without_upper(person, fit, remove)
    if garment.category == "dresses":
        lower = lower_to_remove(person)
        base = without_lower(person, base, lower * (1 - remove), _leg_row(person, fit.hem_v))
        remove = np.maximum(remove, lower)
    above = _above(person, fit, cloth)
    lit = lighted(person, cloth, above)
    image = base + (lit - base) * cloth.alpha[..., None]
    image += (person.rgb - image) * above[..., None]
    changed = ((cloth.alpha > 0.004) | (remove > 0.004)) & (above < 0.996)
    return finished(person, image, changed, garment.confidence, _notices(fit))


def lay(person: Person, garment: Garment, fit: Fit) -> Cloth:
    """Warps torso and sleeves, joins them at the seams and covers slivers of the old garment."""
    shape = person.upper.shape
    rgb, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    sleeves = np.zeros(shape, np.float32)
    scale = person.body.scale_px
    cover = cv2.dilate(garment.alpha, np.ones((7, 7), np.uint8)) * (1 - garment.opening)
    paint_chart(garment.rgb, cover, fit.torso, rgb, alpha, scale)
    for chart in fit.sleeves.values():
        paint_chart(garment.rgb, cover, chart, rgb, sleeves, scale)
    alpha = np.maximum(alpha, sleeves)
    alpha = _snapped(person, fit, _pits_closed(person, fit, alpha))
    return Cloth(rgb, alpha, sleeves)


def _pits_closed(person: Person, fit: Fit, alpha: Mask) -> Mask:
    """Closes the wedges where sleeve and torso meet under the arm."""
    radius = max(2, int(_PIT_WEDGE * person.body.scale_px))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    closed = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    near = np.zeros(alpha.shape, np.uint8)
    for side in SIDES:
        x, y = fit.flanks[side][0] - person.body.down * 2.0 * radius
        cv2.circle(near, (round(x), round(y)), 2 * radius, 1, -1)
    wedge = (closed > 0) & (near > 0) & (person.background < 0.5)
    return np.maximum(alpha, wedge * np.clip(2 - 2 * person.background, 0, 1)).astype(np.float32)


def _snapped(person: Person, fit: Fit, alpha: Mask) -> Mask:
    """Moves the new edge onto the old one where they nearly meet.

    Slivers of old cloth, and of skin beside a longer sleeve, are covered; slivers of skin along
    the old neckline and cuffs stay bare.
    """
    reach = max(2, int(_SNAP * person.body.scale_px))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    solid, old = (alpha > 0.5).astype(np.uint8), (person.upper > 0.3).astype(np.uint8)
    wide = cv2.dilate(solid, kernel) > 0
    cover = wide & (old > 0) & ~_along_flanks(person, fit)
    wider = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * reach + 1, 4 * reach + 1))
    bare = (cv2.erode(solid, wider) == 0) & (person.skin > 0.5) & (cv2.dilate(old, wider) > 0)
    for side in SIDES:
        if fit.sleeve_end[side] > person.shape.sides[side].arm.sleeve_end + SLEEVE_SNAP:
            arm = cv2.dilate(
                polygon(alpha.shape, fit.sleeves[side].outline).astype(np.uint8), wider
            )
            skin = wide & (person.skin > 0.5) & (person.hands[side] < 0.1)
            cover = np.where(arm > 0, skin, cover)
            bare &= arm == 0
        elif fit.sleeve_end[side] == 0:
            cover &= ~_beyond_armhole(person, fit, side, alpha.shape)
    covered = np.where(cover, np.clip((person.upper + person.skin) * 1.6, 0, 1), 0)
    kept = np.maximum(alpha, covered) * np.where(bare, 1 - person.skin, 1)
    return kept.astype(np.float32)


def _along_flanks(person: Person, fit: Fit) -> NDArray[np.bool_]:
    """A band beside both flanks, where a slimmer garment shows the scene behind: (H, W) bool."""
    reach = 2 * max(2, int(_SNAP * person.body.scale_px))
    band = np.zeros(person.upper.shape, np.uint8)
    for flank in fit.flanks.values():
        cv2.polylines(band, [np.rint(flank[1:]).astype(np.int32)], False, 1, 2 * reach)  # noqa: FBT003
    return band > 0


def _beyond_armhole(
    person: Person, fit: Fit, side: Side, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The arm's side of a sleeveless armhole: (H, W) bool."""
    out = person.body.across * sign(side) * 1.5 * person.body.scale_px
    armhole = fit.armholes[side]
    return polygon(shape, np.concatenate([armhole, armhole[::-1] + out]))


def _to_remove(person: Person, fit: Fit) -> Mask:
    """Where the old garment, its edge included, has to go."""
    size = 2 * int(_STRIPE * person.body.scale_px) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    old = cv2.morphologyEx((person.upper > 0.25).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    old[(np.maximum.reduce([person.skin, person.hair, person.lower]) > 0.5)] = 0
    edge = cv2.dilate(old, np.ones((3, 3), np.uint8), iterations=_EDGE_PX)
    skin = (person.skin > 0.5) & (cv2.dilate(old, np.ones((3, 3), np.uint8)) == 0)
    old = np.where(skin, 0, edge)
    over = np.maximum.reduce([person.head, person.hands["left"], person.hands["right"]])
    if fit.hem_v > person.shape.hem_v - 0.02:
        over = np.maximum(over, person.lower)
    old[(over > 0.5) & (person.upper < 0.1)] = 0
    for side in fit.kept_sleeves:
        arm = person.shape.sides[side].arm
        wide = np.concatenate(
            [
                arm.axis + arm.outward * arm.outer[:, None] * 1.3,
                (arm.axis - arm.outward * arm.inner[:, None] * 1.2)[::-1],
            ]
        )
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
        wide = np.concatenate(
            [
                (arm.axis + arm.outward * arm.outer[:, None] * 1.15)[free],
                (arm.axis - arm.outward * arm.inner[:, None] * 1.15)[free][::-1],
            ]
        )
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


def _leg_row(person: Person, v: float) -> float:
    """A height in torso lengths as a share 0..1 of the legs' rows."""
    axis = person.legs.sides["left"].axis
    rows = (axis - person.body.shoulders) @ person.body.down / person.body.torso_px
    return float(np.interp(v, rows, np.linspace(0, 1, len(rows))))


def _notices(fit: Fit) -> tuple[Notice, ...]:
    if not fit.kept_sleeves:
        return ()
    return (Notice("old_sleeves_kept", "the old sleeves are too wide to tell where the arms are"),)
