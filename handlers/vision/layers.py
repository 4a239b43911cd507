"""What lies over what: the new edge on the old one, what goes away, what stays above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES, Side, closed, polygon
from handlers.vision.lines import sign

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.charts import Fit
    from handlers.vision.person import Person

    Mask = NDArray[np.float32]

_SNAP: Final = 0.018  # shoulder widths; slivers of old cloth thinner than this are covered
_PIT_WEDGE: Final = 0.11
_STRIPE: Final = 0.03  # shoulder widths; wall-coloured stripes of the old garment are part of it
_EDGE_PX: Final = 3  # old cloth's mixed edge pixels
_CUFF_SHADOW: Final = 0.14  # shoulder widths below a cuff


def pits_closed(person: Person, fit: Fit, alpha: Mask) -> Mask:
    """Closes the wedges where sleeve and torso meet under the arm."""
    radius = max(2, int(_PIT_WEDGE * person.body.scale_px))
    joined = closed(alpha > 0.5, radius)
    near = np.zeros(alpha.shape, np.uint8)
    for side in SIDES:
        longer = fit.lengthens(side, person.shape.sides[side].arm.sleeve_end)
        lift = 2.0 if longer else 0.3  # below a longer sleeve the scene may show
        x, y = fit.flanks[side][0] - person.body.down * lift * radius
        cv2.circle(near, (round(x), round(y)), 2 * radius, 1, -1)
    wedge = joined & (near > 0) & (person.background < 0.5)
    return np.maximum(alpha, wedge * np.clip(2 - 2 * person.background, 0, 1)).astype(np.float32)


def snapped(person: Person, fit: Fit, alpha: Mask) -> Mask:
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
        if fit.lengthens(side, person.shape.sides[side].arm.sleeve_end):
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


def to_remove(person: Person, fit: Fit) -> Mask:
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
        old[polygon(old.shape, person.shape.sides[side].arm.outline(1.3))] = 0
    removed = cv2.GaussianBlur(old.astype(np.float32), (0, 0), 0.8)
    return np.maximum(removed, _under_cuffs(person, fit))


def _under_cuffs(person: Person, fit: Fit) -> Mask:
    """Skin in the shadow of an old cuff that goes away fades into the new skin above it."""
    fade = np.zeros(person.skin.shape, np.float32)
    reach = _CUFF_SHADOW * person.body.scale_px
    for side in SIDES:
        arm = person.shape.sides[side].arm
        if not _shortened(person, fit, side):
            continue
        cuff = polygon(fade.shape, arm.outline(1.3, end=arm.sleeve_end + 0.05))
        sleeve = cuff & (person.upper > 0.5)
        away = cv2.distanceTransform((~sleeve).astype(np.uint8), cv2.DIST_L2, 3)
        limb = polygon(fade.shape, arm.outline(1.2, begin=arm.sleeve_end - 0.05))
        fade += np.clip(1.2 - away / reach, 0, 1) * person.skin * limb * (person.hands[side] < 0.1)
    return np.clip(fade, 0, 1).astype(np.float32)


def _shortened(person: Person, fit: Fit, side: Side) -> bool:
    """Whether the new sleeve bares some of the arm."""
    shorter = fit.sleeve_end[side] < person.shape.sides[side].arm.sleeve_end - 0.05
    return shorter and side not in fit.kept_sleeves


def above(person: Person, fit: Fit, sleeves: Mask) -> Mask:
    """What lies over the new garment: head and hair, hands, bare forearms before the torso."""
    over = person.head.copy()
    for side in SIDES:
        arm = person.shape.sides[side].arm
        over = np.maximum(over, person.hands[side])
        bare = max(arm.sleeve_end, fit.sleeve_end[side]) + 0.02
        if bare < 0.95:
            forearm = polygon(over.shape, arm.outline(1.15, begin=bare))
            over = np.maximum(over, forearm * person.skin)
    covered = sleeves * (1 - np.maximum(person.hands["left"], person.hands["right"]))
    covered = np.maximum(covered, _under_cuffs(person, fit))
    return np.clip(over - np.where(person.head > 0.5, 0, covered), 0, 1).astype(np.float32)
