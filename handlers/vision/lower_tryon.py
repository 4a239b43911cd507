"""Puts trousers, shorts or a skirt on a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.blend import lay_over
from handlers.vision.body import SIDES, Side, polygon
from handlers.vision.charts import Chart
from handlers.vision.legs import LEG_ROWS
from handlers.vision.light import contact_shadow, folds, roundness
from handlers.vision.lines import sign, smooth
from handlers.vision.result import Cloth, Dressed, finished, paint_chart
from handlers.vision.reveal import without_lower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.lower_garment import LowerGarment
    from handlers.vision.person import Person

    Mask = NDArray[np.float32]

_HIDDEN_WAIST_V: Final = 0.06  # a waistband begins this far above the shirt's hem
_LOWEST_WAIST_V: Final = 0.95
_LONG_TROUSERS: Final = 0.36  # a crotch this high in the garment belongs to full-length trousers
_SHIN: Final = 0.4  # shoulder widths above the ankle that show the colour of the old legs
_TO_THE_SHOE: Final = 0.93  # of the legs' rows; trousers that end lower reach the shoe
_OVER_SHOE: Final = 0.16  # shoulder widths that trousers may fall over the shoe
_SHOE_COLOUR: Final = 24.0  # CIE76 in 8-bit Lab
_HEM_SNAP: Final = 0.07
_SAME: Final = (0.9, 1.12)  # new width over seen width that is taken for the same


def dress_lower(person: Person, garment: LowerGarment) -> Dressed:
    """Puts on a lower garment; the upper one and the hands stay above it."""
    begin, end = _span(person, garment)
    cloth = _lay(person, garment, begin, end)
    above = _above(person)
    remove = lower_to_remove(person)
    base = without_lower(person, person.rgb.astype(np.float32), remove, end)
    scale = person.body.scale_px
    lightness = cv2.cvtColor(person.rgb, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    factor = folds(lightness, person.lower, scale)
    factor *= roundness(cloth.alpha, scale) * contact_shadow(above, scale)
    lit = cloth.rgb
    lit *= factor[..., None]
    lay_over(base, lit, cloth.alpha)
    lay_over(base, person.rgb.astype(np.float32), above)
    changed = ((cloth.alpha > 0.004) | (remove > 0.004)) & (above < 0.996)
    return finished(person, base, changed, garment.confidence, ())


def _span(person: Person, garment: LowerGarment) -> tuple[float, float]:
    """First and last row of the garment on the legs, 0..1."""
    legs, body = person.legs, person.body
    axis = legs.sides["left"].axis
    v = (axis - body.shoulders) @ body.down / body.torso_px
    waist_v = min(person.shape.hem_v - _HIDDEN_WAIST_V, _LOWEST_WAIST_V)
    stations = np.linspace(0, 1, LEG_ROWS)
    begin = float(np.interp(waist_v, v, stations))
    old = float(np.mean([legs.sides[s].hem for s in SIDES]))
    if garment.crotch is not None:
        natural = begin + (legs.crotch - begin) / garment.crotch
        if garment.crotch < _LONG_TROUSERS:
            natural = 1.0
    else:
        run_px = float(np.linalg.norm(np.diff(axis, axis=0), axis=1).sum())
        natural = begin + garment.height_px * _scale(person, garment, begin) / run_px
    natural = float(np.clip(natural, begin + 0.15, 1.0))
    return begin, old if abs(natural - old) < _HEM_SNAP and old > begin + 0.15 else natural


def _scale(person: Person, garment: LowerGarment, begin: float) -> float:
    """Photo pixels for one garment pixel: the hips fit."""
    at = begin + 0.6 * max(person.legs.crotch - begin, 0.05)
    hips_px = sum(
        float(np.interp(at, np.linspace(0, 1, LEG_ROWS), _from_middle(person, s))) for s in SIDES
    )
    share = np.array([0.3 if garment.crotch is None else 0.6 * garment.crotch])
    width = sum(float(garment.half_px(share, s)[0]) for s in SIDES)
    return hips_px / max(width, 1.0)


def _from_middle(person: Person, side: Side) -> NDArray[np.float64]:
    """Rows' distance from the middle line to the outer outline, px."""
    left, right = (person.legs.sides[s].axis for s in SIDES)
    half = np.abs((right - left) @ person.body.across) / 2
    return half + person.legs.sides[side].outer


def _lay(person: Person, garment: LowerGarment, begin: float, end: float) -> Cloth:
    shape = person.upper.shape
    rgb, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    for side in SIDES:
        chart = _half_chart(person, garment, side, begin, end)
        paint_chart(garment.rgb, garment.alpha, chart, rgb, alpha, person.body.scale_px)
    return Cloth(rgb, alpha, np.zeros(shape, np.float32))


def _half_chart(
    person: Person, garment: LowerGarment, side: Side, begin: float, end: float
) -> Chart:
    """One half of the garment, row by row."""
    legs, out = person.legs, person.body.across * sign(side)
    rows = garment.edges[side]
    t = np.linspace(0, 1, len(rows))
    crotch = legs.crotch if garment.crotch is not None else end
    cut_crotch = 1.0 if garment.crotch is None else garment.crotch
    at = _body_rows(t, cut_crotch, (begin, min(crotch, end), end))
    stations = np.linspace(0, 1, LEG_ROWS)
    leg = legs.sides[side]

    def read(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(at, stations, values)

    axis = np.stack([read(leg.axis[:, i]) for i in range(2)], -1)
    middle_line = (legs.sides["left"].axis + legs.sides["right"].axis) / 2
    middle = np.stack([read(middle_line[:, i]) for i in range(2)], -1)
    scale = _scale(person, garment, begin)
    if garment.crotch is None:
        seen = read(_from_middle(person, side))
        half = _settled(garment.half_px(t, side) * scale, seen, at, leg.hem, slimmest=0.97)
        outer, inner = middle + out * half[:, None], middle
    else:
        wide = np.abs(rows[:, 0, 0] - rows[:, 1, 0]) * scale
        outer_half, inner_half = read(leg.outer), read(leg.inner)
        ratio = _settled(wide, outer_half + inner_half, at, leg.hem, slimmest=0.8) / (
            outer_half + inner_half
        )
        outer = axis + out * (outer_half * ratio)[:, None]
        inner = np.where(
            (t < cut_crotch)[:, None], middle, axis - out * (inner_half * ratio)[:, None]
        )
    source = np.concatenate([rows[:, 0], rows[:, 1], rows.mean(1)[::3]])
    target = np.concatenate([outer, inner, ((outer + inner) / 2)[::3]])
    lap = np.where((t < cut_crotch)[:, None], -out * 0.012 * person.body.scale_px, 0.0)
    return Chart(source, target, _lapped_outline(outer, inner, lap))


def _body_rows(
    t: NDArray[np.float64], cut_crotch: float, stations: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Where on the body each row of the garment lies: crotch on crotch where it has one."""
    begin, crotch, end = stations
    if cut_crotch < 1:
        return np.interp(t, (0, cut_crotch, 1), (begin, crotch, end))
    return begin + (end - begin) * t


def _lapped_outline(
    outer: NDArray[np.float64], inner: NDArray[np.float64], lap: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The outline of a half: a little past its hem, its inner edge lapped over the other half."""
    beyond = (outer[-1] - outer[-2]) * 0.3, (inner[-1] - inner[-2]) * 0.3
    return np.concatenate(
        [outer, [outer[-1] + beyond[0], inner[-1] + beyond[1]], (inner + lap)[::-1]]
    )


def _settled(
    natural: NDArray[np.float64],
    seen: NDArray[np.float64],
    at: NDArray[np.float64],
    old_hem: float,
    slimmest: float,
) -> NDArray[np.float64]:
    """The natural width, unless it is close to what is seen; beyond the old hem, its own."""
    ratio = natural / np.maximum(seen, 1)
    same = (ratio > _SAME[0]) & (ratio < _SAME[1]) & (at < old_hem + 0.03)
    free = np.where(at > old_hem + 0.03, np.clip(ratio, 1.03, 2.2), np.clip(ratio, slimmest, 1.35))
    return seen * smooth(np.where(same, 1.0, free), 0.8)


def _above(person: Person) -> Mask:
    """The upper garment and the hands hang over the new one, and bare skin beside the waist."""
    over = np.maximum.reduce(
        [person.upper, person.hands["left"], person.hands["right"], person.head]
    )
    arms = np.zeros(over.shape, bool)
    for side in SIDES:
        arms |= polygon(over.shape, person.shape.sides[side].arm.outline(1.15))
    return np.clip(np.maximum(over, arms * person.skin), 0, 1).astype(np.float32)


def lower_to_remove(person: Person) -> Mask:
    """The old lower garment with its edge, down to the ankles: shoes stay."""
    old = cv2.dilate(
        (person.lower > 0.25).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=3
    )
    keep = np.maximum.reduce([person.upper, person.hands["left"], person.hands["right"]])
    old[keep > 0.5] = 0
    legs, scale = person.legs.sides, person.body.scale_px
    hem = max(leg.hem for leg in legs.values())
    if hem < _TO_THE_SHOE:  # what is worn below a skirt or shorts, socks, is not theirs
        end = np.stack([leg.axis[int(hem * (LEG_ROWS - 1))] for leg in legs.values()]).mean(0)
    else:
        end = np.stack([leg.axis[-2] for leg in legs.values()]).mean(0)
    y, x = np.mgrid[0 : old.shape[0], 0 : old.shape[1]].astype(np.float32)
    below = (x - end[0]) * person.body.down[0] + (y - end[1]) * person.body.down[1]
    shins = (below < 0) & (below > -_SHIN * scale) & (person.lower > 0.9)
    old[below > _OVER_SHOE * scale] = 0
    if shins.any():  # a trouser leg falls over the shoe; its colour tells it from the shoe
        lab = cv2.cvtColor(person.rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
        unlike = np.linalg.norm(lab - np.median(lab[shins], 0), axis=-1) > _SHOE_COLOUR
        unlike &= person.lower > 0.5
        shoe = cv2.morphologyEx(unlike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
        old[(below > 0) & (shoe > 0)] = 0
    return cv2.GaussianBlur(old.astype(np.float32), (0, 0), 0.8)
