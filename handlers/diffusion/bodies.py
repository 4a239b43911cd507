"""New people by SDXL (arXiv 2307.01952): words and a seed per picture in, pixels out.

Every picture is a job of its own: its noise comes from its own generator, and which others are
drawn beside it changes nothing but rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handlers.diffusion import conditioning, latents, sampling, solvers
from handlers.diffusion.conditioning import Text
from handlers.diffusion.loading import SdxlNetworks
from handlers.diffusion.solvers import SOLVERS

OnStep = Callable[[int, int], None]
"""Hears of each step: how many were taken, of how many in all; what it raises ends the run."""

Prediction = Callable[[Tensor, Tensor], Tensor]
"""What is shown (rows, 4, h, w) and the timestep, () or (rows,), to the noise in it, in float32."""

_CHANNELS: Final = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """How to draw: pictures of height_px x width_px, both multiples of the networks' grain.

    The guidance_scale is above 1, so that what is not wished has its say.
    """

    height_px: int
    width_px: int
    steps: int
    guidance_scale: float
    solver: str


@dataclass(frozen=True, slots=True)
class Room:
    """How much of the network's memory a run may take: `at_once` pictures together, at most.

    apart: what is wished and what is not go through the network one after the other.
    """

    at_once: int
    apart: bool = False


class Painter:
    """Draws people with as much at once as there is room for."""

    def __init__(self, nets: SdxlNetworks, room: Room) -> None:
        self._nets = nets
        self._room = room

    @torch.inference_mode()
    def words(self, wished: str, unwished: str) -> Text:
        """Encode what a picture shows and what it must not, as two rows: the latter first."""
        return conditioning.encode_text(self._nets, [unwished, wished])

    @torch.inference_mode()
    def paint(
        self, words: Text, plan: Plan, seeds: Sequence[int], on_step: OnStep
    ) -> list[NDArray[np.uint8]]:
        """Paint a picture per seed, (H, W, 3) RGB; each is what its seed gives alone."""
        at_once, nets = self._room.at_once, self._nets
        companies = [seeds[first : first + at_once] for first in range(0, len(seeds), at_once)]
        tell = _counted(on_step, plan.steps * len(companies))
        predict = prediction(nets, words, plan, apart=self._room.apart)
        with nets.visits.of(nets.unet):
            drawn = [draw(nets, predict, plan, company, tell) for company in companies]
        # One by one: at full size the decoder needs more memory than all the rest.
        rows = (row[None] for some in drawn for row in some)
        return [latents.to_rgb(latents.decode(nets, row))[0] for row in rows]


def draw(
    nets: SdxlNetworks,
    predict: Prediction,
    plan: Plan,
    seeds: Sequence[int],
    tell: Callable[[], None],
) -> Tensor:
    """Take all steps for all `seeds` at once; give clean latents (rows, 4, h, w) in float32."""
    walk = solvers.walk(nets.scheduler, plan.solver, plan.steps, nets.device)
    now = _noise(nets, plan, seeds) * walk.start_scale
    before = torch.zeros_like(now)
    for index, timestep in enumerate(walk.timesteps):
        sigmas = walk.at(index, len(seeds))
        shown = solvers.scaled(now, sigmas.start).to(nets.dtype)
        clean = solvers.clean(now, predict(shown, timestep), sigmas.start)
        now, before = SOLVERS[plan.solver](now, clean, before, sigmas), clean
        tell()
    return now


def prediction(nets: SdxlNetworks, words: Text, plan: Plan, *, apart: bool = False) -> Prediction:
    """Give the guided network, told what is wished, what is not, and the size."""
    rows = [slice(0, 1), slice(1, 2)] if apart else [slice(0, 2)]
    sides = [Text(words.hidden[some], words.pooled[some]) for some in rows]

    def predict(shown: Tensor, timestep: Tensor) -> Tensor:
        told = [_noise_seen(nets, side, plan, shown, timestep) for side in sides]
        unwished, wished = torch.cat(told).float().chunk(2)
        return sampling.guided(unwished, wished, plan.guidance_scale)

    return predict


def _noise_seen(
    nets: SdxlNetworks, words: Text, plan: Plan, shown: Tensor, timestep: Tensor
) -> Tensor:
    """Ask the network about every picture shown, once per row of `words`."""
    sides, rows = len(words.hidden), len(shown)
    added = {
        "text_embeds": words.pooled.repeat_interleave(rows, dim=0),
        "time_ids": conditioning.time_ids(nets, plan.height_px, plan.width_px, sides * rows),
    }
    predicted: Tensor = nets.unet(
        shown.repeat(sides, 1, 1, 1),
        timestep,
        encoder_hidden_states=words.hidden.repeat_interleave(rows, dim=0),
        added_cond_kwargs=added,
        return_dict=False,
    )[0]
    return predicted


def _noise(nets: SdxlNetworks, plan: Plan, seeds: Sequence[int]) -> Tensor:
    """Draw on the CPU, so that a seed means the same picture on every device."""
    shape = (_CHANNELS, plan.height_px // nets.factor, plan.width_px // nets.factor)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    drawn = [torch.randn(shape, generator=generator) for generator in generators]
    return torch.stack(drawn).to(nets.device)


def _counted(on_step: OnStep, of: int) -> Callable[[], None]:
    numbers: Iterator[int] = iter(range(1, of + 1))
    return lambda: on_step(next(numbers), of)
