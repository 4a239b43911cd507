"""Puts a garment on a person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handlers.errors import Unfit
from handlers.vision.framing import require_legs, require_torso
from handlers.vision.lower_garment import LowerGarment
from handlers.vision.lower_tryon import dress_lower
from handlers.vision.result import Dressed, Notice
from handlers.vision.upper_tryon import dress_upper

if TYPE_CHECKING:
    from handlers.vision.garment import Garment
    from handlers.vision.person import Person


_SEVERAL_PEOPLE: Final = Notice(
    "several_people", "several people were seen; the largest is dressed"
)
_LEAST_CONFIDENCE: Final = 0.3


def dress(person: Person, garment: Garment | LowerGarment) -> Dressed:
    """Dresses a person; raises Unfit where the garment's place is not in the picture."""
    if garment.confidence < _LEAST_CONFIDENCE:
        details = {"image": "garment_image", "reason": "part_uncertain", "part": "outline"}
        raise Unfit("garment_image cannot be used: its two halves do not match", details)
    size = person.rgb.shape[:2]
    if isinstance(garment, LowerGarment):
        require_legs(person.body, size)
        dressed = dress_lower(person, garment)
    else:
        require_torso(person.body, size)
        dressed = dress_upper(person, garment)
    if person.people > 1:
        return replace(dressed, warnings=(_SEVERAL_PEOPLE, *dressed.warnings))
    return dressed
