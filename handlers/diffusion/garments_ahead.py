"""A garment seen ahead of its first try-on: every timestep that a preset will ask for.

It takes a seat among those that step, so that people overtake it; a step of it is a pass of the
garment network over a few timesteps at once.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.base import Outcome
from handlers.diffusion import latents
from handlers.diffusion.denoising import GarmentView, Plan
from handlers.diffusion.features import Look, Seen
from handlers.diffusion.features_copies import nbytes
from handlers.diffusion.studio import Studio


@dataclass(slots=True)
class GarmentSeat:
    """A garment among those that step; `rows` timesteps of `looks` are seen in a step of it.

    computed: how often the garment network ran for it; size_bytes: what it takes in all.
    """

    studio: Studio
    garment: GarmentView
    looks: Sequence[Look]
    rows: int
    index: int = 0
    computed: int = 0
    size_bytes: int = 0

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        return -(-(len(self.looks) - self.index) // self.rows)

    @property
    def progress(self) -> tuple[int, int]:
        """How many steps were taken, of how many."""
        of = -(-len(self.looks) // self.rows)
        return of - self.steps_left, of

    @property
    def is_sound(self) -> bool:
        """What is no number is not kept, and nothing else can break here."""
        return True

    def preview(self) -> NDArray[np.uint8]:
        """Show the garment, a pixel per latent cell."""
        shown: NDArray[np.uint8] = latents.preview_rgb(self.garment.picture.mode[:1])[0]
        return shown

    def see(self) -> list[Seen]:
        """See the next timesteps, and have the garment stay.

        Raises PinsFull for one that takes more than is left for those that stay.
        """
        seen = self.studio.see(self.looks[self.index : self.index + self.rows])
        numbers = [look.number for look in self.looks]
        self.size_bytes = self.studio.pin(self.garment, nbytes(seen[0].features), numbers)
        return seen

    def move(self, seen: Sequence[Seen]) -> None:
        """Stand at the step after those."""
        self.index += len(seen)
        self.computed += sum(one.is_new for one in seen)


def advance(seats: Sequence[GarmentSeat]) -> None:
    """Take one step of every garment; whatever is raised, none has moved."""
    seen = [seat.see() for seat in seats]
    for seat, one in zip(seats, seen, strict=True):
        seat.move(one)


def made_ready(
    studio: Studio, garment: GarmentView, plans: Sequence[Plan], at_once: int
) -> Generator[GarmentSeat, None, Outcome]:
    """See a garment for `plans`, from a seat where networks stay between steps, and keep it."""
    looks = studio.looks(garment, plans)
    seat = GarmentSeat(studio, garment, looks, min(at_once, len(looks)))
    if studio.steps_with_others:
        yield seat
    while seat.steps_left:
        advance([seat])
    return _told(garment, len(looks), seat.computed, seat.size_bytes, is_pinned=True)


def forgotten(studio: Studio, garment: GarmentView) -> Outcome:
    """Forget what was seen of a garment."""
    return _told(garment, 0, 0, studio.forget_garment(garment), is_pinned=False)


def _told(
    garment: GarmentView, timesteps: int, computed: int, size_bytes: int, *, is_pinned: bool
) -> Outcome:
    told: dict[str, Any] = {
        "garment": garment.record,
        "pinned": is_pinned,
        "timesteps": timesteps,
        "computed": computed,
        "bytes": size_bytes,
    }
    return Outcome((), told)
