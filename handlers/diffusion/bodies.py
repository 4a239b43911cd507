"""New people by SDXL as a worker uses it: words and a seed per picture in, steps, pixels out."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handlers.diffusion import conditioning, latents, sdxl_walks
from handlers.diffusion.conditioning import Text
from handlers.diffusion.loading import SdxlNetworks
from handlers.diffusion.sdxl_walks import Plan, Room, Walk
from handlers.seats import counted


@dataclass(frozen=True, slots=True)
class Seat:
    """Pictures of one request among those that step.

    before: pictures of the request that were drawn in earlier seats; of: of all its seats.
    """

    walk: Walk
    before: int
    of: int

    @property
    def rows(self) -> int:
        """How many pictures take the step."""
        return self.walk.pictures

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        return self.walk.steps_left

    @property
    def progress(self) -> tuple[int, int]:
        """How many steps of its request were taken, of how many."""
        walk = self.walk
        return counted(self.before, self.rows, self.of, walk.index, walk.plan.steps)

    @property
    def is_sound(self) -> bool:
        """Whether the latents are numbers."""
        return self.walk.is_sound

    @torch.inference_mode()
    def preview(self) -> NDArray[np.uint8]:
        """Show what the first picture was taken for in the last step, a pixel per latent cell."""
        return latents.preview_rgb(self.walk.clean[:1])[0]


class Painter:
    """Draws people with as much at once as there is room for."""

    def __init__(self, nets: SdxlNetworks, room: Room) -> None:
        self._nets = nets
        self._room = room
        self._turns: AbstractContextManager[object] = nullcontext() if room.beside else Lock()

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

    def seats(self, words: Text, plan: Plan, seeds: Sequence[int], at_once: int) -> Iterator[Seat]:
        """Give seats of `at_once` pictures at most, and no more than fit, one after the other."""
        most = min(at_once, self._room.at_once)
        for first in range(0, len(seeds), most):
            walk = self._walk(words, plan, seeds[first : first + most])
            yield Seat(walk, first, len(seeds))

    @torch.inference_mode()
    def _walk(self, words: Text, plan: Plan, seeds: Sequence[int]) -> Walk:
        return Walk.begin(self._nets, words, plan, seeds)

    @torch.inference_mode()
    def advance(self, seats: Sequence[Seat]) -> None:
        """Take one step of every seat; whatever is raised, none has moved."""
        with self._turns:
            sdxl_walks.advance(self._nets, [seat.walk for seat in seats], self._room)

    def developed(self, seat: Seat) -> list[NDArray[np.uint8]]:
        """Give the pictures of a seat whose steps are taken, (H, W, 3) RGB each."""
        # One by one: at full size the decoder needs more memory than all the rest.
        return [self._decoded(row[None]) for row in seat.walk.now]

    @torch.inference_mode()
    def _decoded(self, row: Tensor) -> NDArray[np.uint8]:
        with self._turns:
            return latents.to_rgb(latents.decode(self._nets, row))[0]
