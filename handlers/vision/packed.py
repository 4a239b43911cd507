"""A person in a third of the memory: what a cache keeps between two try-ons."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.body import SIDES, Side
from handlers.vision.person import Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MASKS: Final = ("background", "hair", "skin", "upper", "lower", "head")


@dataclass(frozen=True, slots=True)
class PackedPerson:
    """A person whose masks are (H, W) uint8, 0..255; the rest is as it was."""

    masks: dict[str, NDArray[np.uint8]]
    hands: dict[Side, NDArray[np.uint8]]
    rest: dict[str, object]

    @classmethod
    def of(cls, person: Person) -> PackedPerson:
        """Packs a person; 1/255 of a mask is lost."""
        kept = [f.name for f in fields(person) if f.name not in (*_MASKS, "hands")]
        return cls(
            masks={name: _bytes(getattr(person, name)) for name in _MASKS},
            hands={side: _bytes(person.hands[side]) for side in SIDES},
            rest={name: getattr(person, name) for name in kept},
        )

    def unpack(self) -> Person:
        """The person again, masks (H, W) float32, 0..1."""
        masks = {name: _floats(mask) for name, mask in self.masks.items()}
        hands = {side: _floats(mask) for side, mask in self.hands.items()}
        return Person(**masks, hands=hands, **self.rest)  # type: ignore[arg-type]  # as packed

    @property
    def nbytes(self) -> int:
        """What the arrays occupy, in bytes."""
        pictures = [v for v in self.rest.values() if isinstance(v, np.ndarray)]
        return sum(a.nbytes for a in [*self.masks.values(), *self.hands.values(), *pictures])


def _bytes(mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    scaled = mask * np.float32(255)
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _floats(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    return mask * np.float32(1 / 255)
