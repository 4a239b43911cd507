"""New people by SDXL as a worker uses it: words and a seed per picture in, steps, pixels out."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from handlers.diffusion import conditioning, latents, sdxl_walks
from handlers.diffusion.conditioning import Text
from handlers.diffusion.loading import SdxlNetworks
from handlers.diffusion.sdxl_walks import Plan, Room, Walk


@dataclass(frozen=True, slots=True)
class Seat:
    """Pictures of one request among those that step together: all of one size.

    before: steps of the request that were taken in earlier seats; of: of all its seats.
    """

    walk: Walk
    before: int
    of: int

    @property
    def bucket(self) -> Hashable:
        """What may step together with it has an equal one."""
        return tuple(self.walk.now.shape[2:])

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        return self.walk.steps_left

    @property
    def progress(self) -> tuple[int, int]:
        """How many steps of its request were taken, of how many."""
        return self.before + self.walk.index, self.of

    @property
    def is_sound(self) -> bool:
        """Whether the latents are numbers."""
        return self.walk.is_sound


class Painter:
    """Draws people with as much at once as there is room for."""

    def __init__(self, nets: SdxlNetworks, room: Room) -> None:
        self._nets = nets
        self._room = room

    @property
    def steps_with_others(self) -> bool:
        """Whether the network stays on the device between two steps."""
        return self._nets.unet not in self._nets.visits

    def at_work(self) -> AbstractContextManager[None]:
        """Have the network on the device while inside; nothing happens where it lives there."""
        return self._nets.visits.of(self._nets.unet)

    @torch.inference_mode()
    def words(self, wished: str, unwished: str) -> Text:
        """Encode what a picture shows and what it must not, as two rows: the latter first."""
        return conditioning.encode_text(self._nets, [unwished, wished])

    def seats(self, words: Text, plan: Plan, seeds: Sequence[int]) -> Iterator[Seat]:
        """Give the seats of a request, as many pictures in each as fit, one after the other."""
        firsts = range(0, len(seeds), self._room.at_once)
        for number, first in enumerate(firsts):
            walk = self._walk(words, plan, seeds[first : first + self._room.at_once])
            yield Seat(walk, number * plan.steps, len(firsts) * plan.steps)

    @torch.inference_mode()
    def _walk(self, words: Text, plan: Plan, seeds: Sequence[int]) -> Walk:
        return Walk.begin(self._nets, words, plan, seeds)

    @torch.inference_mode()
    def advance(self, seats: Sequence[Seat]) -> None:
        """Take one step of every seat; whatever is raised, none has moved."""
        sdxl_walks.advance(self._nets, [seat.walk for seat in seats], self._room)

    @torch.inference_mode()
    def developed(self, seat: Seat) -> list[NDArray[np.uint8]]:
        """Give the pictures of a seat whose steps are taken, (H, W, 3) RGB each."""
        # One by one: at full size the decoder needs more memory than all the rest.
        rows = (row[None] for row in seat.walk.now)
        return [latents.to_rgb(latents.decode(self._nets, row))[0] for row in rows]
