"""New people by SDXL (arXiv 2307.01952): words and a seed per picture in, pixels out.

Every picture is a job of its own: its noise comes from its own generator, and which others are
drawn beside it changes nothing but rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

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


class Painter:
    """Draws people, at most `at_once` pictures in one run of the network."""

    def __init__(self, nets: SdxlNetworks, at_once: int) -> None:
        self._nets = nets
        self._at_once = at_once

    @property
    def grain_px(self) -> int:
        """What the sides of a picture are multiples of, in pixels."""
        return self._nets.grain_px

    @torch.inference_mode()
    def words(self, wished: str, unwished: str) -> Text:
        """Encode what a picture shows and what it must not, as two rows: the latter first."""
        return conditioning.encode_text(self._nets, [unwished, wished])

    @torch.inference_mode()
    def paint(
        self, words: Text, plan: Plan, seeds: Sequence[int], on_step: OnStep
    ) -> list[NDArray[np.uint8]]:
        """Paint a picture per seed, (H, W, 3) RGB; each is what its seed gives alone."""
        companies = [seeds[at : at + self._at_once] for at in range(0, len(seeds), self._at_once)]
        tell = _counted(on_step, plan.steps * len(companies))
        drawn = [draw(self._nets, words, plan, company, tell) for company in companies]
        # One by one: at full size the decoder needs more memory than all the rest.
        rows = (row[None] for some in drawn for row in some)
        return [latents.to_rgb(latents.decode(self._nets, row))[0] for row in rows]


def draw(
    nets: SdxlNetworks, words: Text, plan: Plan, seeds: Sequence[int], tell: Callable[[], None]
) -> Tensor:
    """Take all steps for all `seeds` at once; give clean latents (rows, 4, h, w) in float32."""
    walk = solvers.walk(nets.scheduler, plan.solver, plan.steps, nets.device)
    unet = _conditioned(nets, words, plan, len(seeds))
    now = _noise(nets, plan, seeds) * walk.start_scale
    before = torch.zeros_like(now)
    for index, timestep in enumerate(walk.timesteps):
        sigmas = walk.at(index, len(seeds))
        shown = solvers.scaled(now, sigmas.start).to(nets.dtype)
        unwished, wished = unet(torch.cat([shown, shown]), timestep)[0].float().chunk(2)
        predicted = sampling.guided(unwished, wished, plan.guidance_scale)
        clean = solvers.clean(now, predicted, sigmas.start)
        now, before = SOLVERS[plan.solver](now, clean, before, sigmas), clean
        tell()
    return now


def _conditioned(nets: SdxlNetworks, words: Text, plan: Plan, rows: int) -> Callable[..., Any]:
    """Give the network, told everything that stays the same over the steps."""
    added = {
        "text_embeds": words.pooled.repeat_interleave(rows, dim=0),
        "time_ids": conditioning.time_ids(nets, plan.height_px, plan.width_px, 2 * rows),
    }
    hidden = words.hidden.repeat_interleave(rows, dim=0)
    return partial(
        nets.unet, encoder_hidden_states=hidden, added_cond_kwargs=added, return_dict=False
    )


def _noise(nets: SdxlNetworks, plan: Plan, seeds: Sequence[int]) -> Tensor:
    """Draw on the CPU, so that a seed means the same picture on every device."""
    shape = (_CHANNELS, plan.height_px // nets.factor, plan.width_px // nets.factor)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    drawn = [torch.randn(shape, generator=generator) for generator in generators]
    return torch.stack(drawn).to(nets.device)


def _counted(on_step: OnStep, of: int) -> Callable[[], None]:
    numbers: Iterator[int] = iter(range(1, of + 1))
    return lambda: on_step(next(numbers), of)
