"""Where trousers, shorts or a skirt end and the leg below is bare, told by colour.

The class map alone mistakes bare legs for the cloth above them: it expects cloth there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES
from handlers.vision.limbs import arm, girths, leg
from handlers.vision.lines import sample
from handlers.vision.parsing import LOWER, SKIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Side
    from handlers.vision.person import Person

_HIPS_V: Final = (0.95, 1.25)  # torso lengths below the shoulders, where cloth is sure
_WEIGHTS: Final = np.array([0.2, 1.0, 1.0], np.float32)  # shade moves lightness, hardly hue
_CLEAR: Final = 12.0  # a difference of distances in Lab that settles a row's vote
_BARE: Final = 0.5  # mean vote below the hem, -1..1, that bare legs reach
_STRIPE: Final = 2.0  # rows of skin's colour that may still be a pattern
_SHORTEST: Final = 4  # rows
_NEAR: Final = 1.3  # girths around the bones of a leg
_HAND: Final = 2.0  # girths around those of an arm, in which a hand may lie before the leg


def bare_legs(person: Person, kinds: NDArray[np.uint8]) -> dict[Side, NDArray[np.bool_]]:
    """The bare part of each leg: (H, W) bool, empty where cloth covers it all.

    kinds: (H, W) uint8 class of each pixel. Where both legs are bare, cloth is as long on both:
    a stripe of skin's colour on one of them is no hem.
    """
    nowhere = np.zeros(kinds.shape, bool)
    lab = cv2.cvtColor(person.rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    references = _cloth_and_skin(person, lab, kinds)
    if references is None:
        return dict.fromkeys(SIDES, nowhere)
    hems = {side: _hem(_votes(person, side, lab, kinds, references)) for side in SIDES}
    lowest = max((hem for hem in hems.values() if hem is not None), default=0)
    return {
        side: nowhere if hem is None else _below(person, side, kinds, lowest)
        for side, hem in hems.items()
    }


def _hem(votes: NDArray[np.float64]) -> int | None:
    """The first row of the leg that is bare; None where no clear run of rows is."""
    balance = np.concatenate([[0.0], np.cumsum(votes)])
    first = int(np.flatnonzero(balance <= balance.min() + _STRIPE)[-1])
    while first > 0 and votes[first - 1] > 0:
        first -= 1  # back to where this run of bare rows begins
    seen = votes[first:][votes[first:] != 0]
    return first if len(seen) >= _SHORTEST and seen.mean() >= _BARE else None


def _below(person: Person, side: Side, kinds: NDArray[np.uint8], row: int) -> NDArray[np.bool_]:
    """Cloth and skin of one leg from a row on: (H, W) bool."""
    found = np.zeros(kinds.shape, bool)
    ys, xs = np.nonzero(np.isin(kinds, (LOWER, SKIN)))
    points = np.stack([xs, ys], -1).astype(np.float64)
    below = (points - person.legs.sides[side].axis[row]) @ person.body.down >= 0
    found[ys, xs] = below & (girths(points, leg(person.body, side)) < _NEAR)
    return found


def _cloth_and_skin(
    person: Person, lab: NDArray[np.float32], kinds: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """The usual colours (3,) of what is worn about the hips and of the face; None if not seen."""
    top, bottom = (person.body.at(0, v)[1] for v in _HIPS_V)
    rows = np.arange(len(kinds))[:, None]
    hips = (kinds == LOWER) & (rows > top) & (rows < bottom)
    face = (kinds == SKIN) & (person.head > 0.5)
    if not hips.any() or not face.any():
        return None
    return np.median(lab[hips], 0), np.median(lab[face], 0)


def _votes(
    person: Person,
    side: Side,
    lab: NDArray[np.float32],
    kinds: NDArray[np.uint8],
    references: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> NDArray[np.float64]:
    """For each row of the leg, -1 (cloth) to 1 (skin); 0 where neither is seen: (60,)."""
    axis = person.legs.sides[side].axis
    hidden = np.min([girths(axis, arm(person.body, one)) for one in SIDES], axis=0) < _HAND
    hidden |= ~np.isin(sample(kinds, axis), (LOWER, SKIN))
    calm = cv2.medianBlur(lab.astype(np.uint8), 5).astype(np.float32)
    x, y = np.rint(axis).astype(int).T
    seen = calm[np.clip(y, 0, len(calm) - 1), np.clip(x, 0, calm.shape[1] - 1)]
    from_cloth, from_skin = (
        np.linalg.norm((seen - colour) * _WEIGHTS, axis=1) for colour in references
    )
    return np.where(hidden, 0.0, np.clip((from_cloth - from_skin) / _CLEAR, -1, 1))
