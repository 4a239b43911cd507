"""Takes the old garment out of a photo and shows what was under and behind it.

Skin where the body is, in the tone of the nearest skin; the lower garment where the shirt
hung over it; else the scene behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.blend import lay_over
from handlers.vision.body import SIDES, capsules, closed, polygon
from handlers.vision.fill import push_pull
from handlers.vision.lines import sign
from handlers.vision.shape import FLANK_V, bare_tip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.charts import Fit
    from handlers.vision.person import Person

    Mask = NDArray[np.float32]

_FIELD_SHRINK: Final = 8  # skin tone changes slowly
_DELTOID: Final = 0.15  # radius of the shoulder in shoulder widths
_SHADOW: Final = 0.85  # of the usual lightness of skin; darker is shadow
_EDGE_SHADE: Final = 0.14  # how much darker a limb is where it turns away
_LIMB_LIGHT: Final = 1.02  # arms catch more light than the hands and neck that lend their tone


def without_upper(person: Person, fit: Fit, remove: Mask) -> NDArray[np.float32]:
    """The photo with the upper garment gone inside `remove`: (H, W, 3) float32, 0..255."""
    photo = person.rgb.astype(np.float32)
    body = _soft(_joined(person, _arms(person, fit) | _trunk(person, fit))) * _inside(person)
    skin = bare_skin(person, body)
    under = person.behind.astype(np.float32)
    lay_over(under, skin, body)
    below = _soft(_below(person, fit.hem_v))
    if below.any():
        lay_over(under, _continued(person.rgb, person.lower), below)
    lay_over(photo, under, remove)
    return photo


def without_lower(
    person: Person, photo: NDArray[np.float32], remove: Mask, hem: float
) -> NDArray[np.float32]:
    """The photo with the lower garment gone inside `remove`: bare legs below the new hem.

    photo: (H, W, 3) float32, 0..255, used up; hem: 0..1 of the legs' rows. Returns such a picture.
    """
    legs = _soft(_bare_legs(person, hem)) * _inside(person)
    under = person.behind.astype(np.float32)
    lay_over(under, bare_skin(person, legs), legs)
    lay_over(photo, under, remove)
    return photo


def _bare_legs(person: Person, hem: float) -> NDArray[np.bool_]:
    covered = np.zeros(person.upper.shape, bool)
    for leg in person.legs.sides.values():
        begin = max(0, int((min(hem, leg.hem) - 0.06) * (len(leg.axis) - 1)))
        outer = leg.axis + person.body.across * leg.bare[:, None]
        inner = leg.axis - person.body.across * leg.bare[:, None]
        covered |= polygon(covered.shape, np.concatenate([outer[begin:], inner[begin:][::-1]]))
        foot = leg.axis[-1] + person.body.down * 0.2 * person.body.scale_px
        covered |= capsules(covered.shape, [leg.axis[-1], foot], [float(leg.bare[-1])] * 2)
    return covered


def bare_skin(person: Person, limbs: Mask) -> NDArray[np.float32]:
    """Skin wherever it may be needed: the tone of the nearest skin, rounded to the limbs' edges.

    limbs: (H, W) float32, where skin will show. Returns (H, W, 3) float32.
    """
    tone = _continued(person.rgb, _lit_skin(person))
    tone *= _LIMB_LIGHT
    face = person.rgb[(person.skin > 0.9) & (person.head > 0.9)]
    if len(face):
        np.minimum(tone, np.median(face, 0).astype(np.float32), out=tone)
    depth = cv2.distanceTransform((limbs > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    form = 1 - _EDGE_SHADE * np.exp(-depth / (0.035 * person.body.scale_px))
    tone *= form[..., None].astype(np.float32)
    return tone


def _lit_skin(person: Person) -> Mask:
    """Skin of limbs and neck without its shadows: (H, W) float32."""
    skin = person.skin * (1 - person.head)
    lightness = cv2.cvtColor(person.rgb, cv2.COLOR_RGB2LAB)[..., 0]
    shown = lightness[skin > 0.85]
    if not len(shown):
        return skin
    return (skin * (lightness > _SHADOW * np.median(shown))).astype(np.float32)


def _continued(rgb: NDArray[np.uint8], known: Mask) -> NDArray[np.float32]:
    """The colours of a region spread over the whole picture: (H, W, 3) float32."""
    height, width = known.shape
    size = (max(2, width // _FIELD_SHRINK), max(2, height // _FIELD_SHRINK))
    sure = cv2.erode((known > 0.85).astype(np.uint8), np.ones((5, 5), np.uint8))
    weight = cv2.resize(sure.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    shown = cv2.bitwise_and(rgb, rgb, mask=sure)
    summed = cv2.resize(shown, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = summed / np.maximum(weight, 1e-4)[..., None]
    field = push_pull(mean, (weight > 0.4).astype(np.float32))
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)


def _soft(mask: NDArray[np.bool_]) -> Mask:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2)


def _joined(person: Person, body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rounds the shoulders, where arm and trunk meet."""
    return closed(body, 0.08 * person.body.scale_px)


def _inside(person: Person) -> Mask:
    """1 inside the person's outline, 0 from its mixed edge pixels on: (H, W) float32."""
    sure = cv2.erode((person.background < 0.5).astype(np.uint8), np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(sure.astype(np.float32), (0, 0), 0.8)


def _arms(person: Person, fit: Fit) -> NDArray[np.bool_]:
    """Bare arms where the old sleeves are and the new ones are not: (H, W) bool."""
    covered = np.zeros(person.upper.shape, bool)
    for side in SIDES:
        arm, end = person.shape.sides[side].arm, fit.sleeve_end[side]
        first = min(int(max(0.0, end - 0.1) * len(arm.axis)), len(arm.axis) - 2)
        outer = np.minimum(arm.outer, arm.bare)[:, None] * arm.outward
        inner = np.minimum(arm.inner, arm.bare)[:, None] * arm.outward
        edges = (arm.axis + outer)[first:], (arm.axis - inner)[first:][::-1]
        covered |= polygon(covered.shape, np.concatenate(edges))
        knuckles = arm.axis[-1] * 0.5 + person.body.fingertips(side) * 0.5
        covered |= capsules(covered.shape, [arm.axis[-1], knuckles], [float(arm.bare[-1])] * 2)
        if end == 0:
            joint = person.body.joint(side, "shoulder")
            covered |= capsules(covered.shape, [joint] * 2, [_DELTOID * person.body.scale_px] * 2)
    return covered


def _trunk(person: Person, fit: Fit) -> NDArray[np.bool_]:
    """Neck, shoulders and chest; below the armpits only what the new garment covers anyway."""
    line = {}
    for side in SIDES:
        shape = person.shape.sides[side]
        inset = person.body.across * sign(side) * 0.03 * person.body.scale_px
        tip = bare_tip(person.body, side, shape.tip)[None]
        shoulder = np.concatenate([shape.ridge, tip])
        if fit.sleeve_end[side] > 0:  # what lies beyond the seam is the sleeve's
            inside = (shape.ridge - fit.armholes[side][0]) @ person.body.across * sign(side) < 0
            shoulder = np.concatenate([shape.ridge[inside], fit.armholes[side]])
        line[side] = np.concatenate([shoulder, fit.flanks[side] - inset])
    neck = person.body.chin()
    outline = np.concatenate([line["left"][::-1], neck[None], line["right"]])
    return polygon(person.upper.shape, outline)


def _below(person: Person, hem_v: float) -> NDArray[np.bool_]:
    """Between the new hem and the old one: the lower garment begins higher."""
    if hem_v >= person.shape.hem_v - 0.01:
        return np.zeros(person.upper.shape, bool)
    corners = []
    for v in (hem_v, person.shape.hem_v + 0.1):
        half = [np.interp(v, FLANK_V, person.shape.sides[s].flank_px) for s in SIDES]
        middle = person.body.at(0, v)
        corners.append(
            (middle - person.body.across * half[0], middle + person.body.across * half[1])
        )
    (a, b), (d, c) = corners
    return polygon(person.upper.shape, np.array([a, b, c, d]))
