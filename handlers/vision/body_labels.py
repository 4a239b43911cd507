"""The embedded engine's view of a person as a label map: ATR's 18 labels, and 18 = neck.

It knows hair, skin, upper and lower clothes; which limb skin belongs to, where shoes begin and
what kind of garment is worn below the waist follow from the pose and from where cloth ends.
Hats, sunglasses, belts, bags and scarves are not told apart from what lies around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.bare_legs import bare_legs
from handlers.vision.body import SIDES, capsules
from handlers.vision.human_parsing import holes
from handlers.vision.legs import LEG_ROWS
from handlers.vision.limbs import arm, girths, leg, trunk
from handlers.vision.lines import sample
from handlers.vision.parsing import BACKGROUND, HAIR, LOWER, SKIN, UPPER, labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Body, Side
    from handlers.vision.person import Person

    Labels = NDArray[np.uint8]

_HAIR, _UPPER, _SKIRT, _TROUSERS, _DRESS, _FACE, _NECK = 2, 4, 5, 6, 7, 11, 18
# The person's left is the right of the picture.
_SHOES: Final[dict[Side, int]] = {"right": 9, "left": 10}
_LEGS: Final[dict[Side, int]] = {"right": 12, "left": 13}
_ARMS: Final[dict[Side, int]] = {"right": 14, "left": 15}
_CLOSED: Final = 0.9  # share of the line between the legs that cloth covers, in a skirt
_LOWEST_HEM: Final = 0.92  # 0..1 down the legs; cloth that goes further is taken for trousers
_LIKE: Final = 14.0  # distance in Lab of 8 bits; nearer parts may be one garment, or one skin
_LOOSE: Final = 0.01  # of a kind's pixels; smaller pieces of it elsewhere are mistakes
_BONE: Final = 0.04  # shoulder widths
_HAND: Final = 0.3  # 0..1 of the mask of hands
_CLOTHED: Final = 4.0  # girths that skin before a covered leg is further from it than from a hand
_FOOT: Final = 0.2  # shoulder widths around the bones of a foot
_CUFF: Final = 0.02  # shoulder widths below the ankle, where trousers end


def parse_map(person: Person) -> Labels:
    """Labels 0..18 of each pixel: (H, W) uint8."""
    kinds = labelled(
        np.stack([person.background, person.hair, person.skin, person.upper, person.lower])
    )
    kinds[~_theirs(person.body, kinds != BACKGROUND)] = BACKGROUND
    upper = kinds == UPPER
    kinds[_specks(upper, upper)] = SKIN
    for cloth in (UPPER, LOWER):
        mask = kinds == cloth
        kinds[_specks(holes(mask), mask)] = cloth
    bare = bare_legs(person, kinds)
    for legs in bare.values():
        kinds[legs & (kinds == LOWER)] = SKIN
    labels = np.zeros_like(kinds)
    labels[kinds == HAIR] = _HAIR
    _name_skin(person, kinds, bare, labels)
    _name_clothes(person, kinds, labels)
    _name_shoes(person, kinds, bare, labels)
    return labels


def _theirs(body: Body, people: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of everybody's outline that hold a bone of this body: (H, W) bool."""
    bones = np.zeros(people.shape, bool)
    for limb in [trunk(body), *(made(body, side) for made in (arm, leg) for side in SIDES)]:
        bones |= capsules(people.shape, limb.bones, [_BONE * body.scale_px] * len(limb.bones))
    bones |= capsules(people.shape, [body.eyes(), body.chin()], [_BONE * body.scale_px] * 2)
    _, pieces = cv2.connectedComponents(people.astype(np.uint8))
    return people & np.isin(pieces, np.unique(pieces[bones & people]))


def _specks(mask: NDArray[np.bool_], whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of a mask that are far smaller than the whole: (H, W) bool."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < _LOOSE * whole.sum())
    return mask & np.isin(pieces, small)


def _name_skin(
    person: Person, kinds: Labels, bare: dict[Side, NDArray[np.bool_]], labels: Labels
) -> None:
    """Tells face, neck, arms and legs apart; a bare midriff goes with the neck."""
    body = person.body
    ys, xs = np.nonzero(kinds == SKIN)
    points = np.stack([xs, ys], -1).astype(np.float64)
    distance = {_NECK: girths(points, trunk(body))}
    for side in SIDES:
        hand = person.hands[side][ys, xs] > _HAND
        distance[_ARMS[side]] = np.where(hand, 0.0, girths(points, arm(body, side)))
        away = np.where(bare[side][ys, xs], 0.0, _CLOTHED)
        distance[_LEGS[side]] = girths(points, leg(body, side)) + away
    names = np.array(list(distance), np.uint8)
    found = names[np.argmin(list(distance.values()), axis=0)]
    face = (found == _NECK) & (person.head[ys, xs] > 0.5)
    labels[ys, xs] = np.where(face, np.uint8(_FACE), found)


def _name_clothes(person: Person, kinds: Labels, labels: Labels) -> None:
    labels[kinds == UPPER] = _UPPER
    labels[kinds == LOWER] = _TROUSERS
    if _wears_skirt(person, kinds):
        labels[kinds == LOWER] = _SKIRT
        if _one_cloth(person, kinds):
            labels[np.isin(kinds, (UPPER, LOWER))] = _DRESS


def _name_shoes(
    person: Person, kinds: Labels, bare: dict[Side, NDArray[np.bool_]], labels: Labels
) -> None:
    """What a foot shows below the ankle is its shoe, unless it is as bare as its leg."""
    body = person.body
    y, x = np.mgrid[0 : kinds.shape[0], 0 : kinds.shape[1]]
    for side in SIDES:
        knee, ankle = body.joint(side, "knee"), body.joint(side, "ankle")
        reach = _FOOT * body.scale_px
        line = [ankle, body.joint(side, "heel"), body.joint(side, "toes"), ankle]
        foot = capsules(kinds.shape, line, [reach] * len(line))
        down = (ankle - knee) / (np.linalg.norm(ankle - knee) + 1e-9)
        below = (x - ankle[0]) * down[0] + (y - ankle[1]) * down[1] > _CUFF * body.scale_px
        foot &= below & (kinds != BACKGROUND)
        if foot.any() and not (bare[side].any() and _like(person, foot, bare[side] & ~foot)):
            labels[foot] = _SHOES[side]


def _wears_skirt(person: Person, kinds: Labels) -> bool:
    """Whether cloth covers the gap between the legs down to where it ends."""
    hem = max(one.hem for one in person.legs.sides.values())
    if hem > _LOWEST_HEM:
        return False
    middle = (person.legs.sides["left"].axis + person.legs.sides["right"].axis) / 2
    rows = np.linspace(0, 1, LEG_ROWS)
    between = (rows > person.legs.crotch) & (rows < hem - 0.03)
    if not between.any():
        return False
    return bool(np.mean(sample(kinds, middle[between]) == LOWER) > _CLOSED)


def _one_cloth(person: Person, kinds: Labels) -> bool:
    """Whether what is worn above and below the waist looks like one garment."""
    return _like(person, kinds == UPPER, kinds == LOWER)


def _like(person: Person, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether two parts of the photo have nearly the same colour."""
    if not one.any() or not other.any():
        return False
    first, second = (
        np.median(cv2.cvtColor(person.rgb[part][None], cv2.COLOR_RGB2LAB)[0], 0)
        for part in (one, other)
    )
    return bool(np.linalg.norm(first - second) < _LIKE)
