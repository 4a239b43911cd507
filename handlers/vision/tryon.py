"""Puts a garment on a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.vision.lower_garment import LowerGarment
from handlers.vision.lower_tryon import dress_lower
from handlers.vision.upper_tryon import dress_upper

if TYPE_CHECKING:
    from handlers.vision.garment import Garment
    from handlers.vision.person import Person
    from handlers.vision.result import Dressed


def dress(person: Person, garment: Garment | LowerGarment) -> Dressed:
    """Dresses a person; raises Unfit where the garment's place is out of the picture."""
    if isinstance(garment, LowerGarment):
        return dress_lower(person, garment)
    return dress_upper(person, garment)
