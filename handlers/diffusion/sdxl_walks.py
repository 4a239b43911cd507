"""SDXL's steps (arXiv 2307.01952) for the pictures of several requests together.

Each run keeps its own words, steps, solver, guidance and seeds; only the size must agree. As many
pictures share a pass of the network as there is room for, whoever's they are, and every one is what
it would be alone, but for rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from handlers.diffusion import conditioning, sampling, solvers
from handlers.diffusion.conditioning import Text
from handlers.diffusion.loading import SdxlNetworks
from handlers.diffusion.solvers import SOLVERS, Schedule

_CHANNELS: Final = 4
_BOTH_SIDES: Final = (slice(0, 2),)
_ONE_BY_ONE: Final = (slice(0, 1), slice(1, 2))


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
    """How much of the network's memory a step may take: `at_once` pictures together, at most.

    apart: what is wished and what is not go through the network one after the other. beside:
    pictures may be decoded while others take a step.
    """

    at_once: int
    apart: bool = False
    beside: bool = True


@dataclass(slots=True)
class Walk:
    """A run under way: its latents (pictures, 4, h, w), and the number of the step that is next.

    words: two rows, of what is not wished and of what is; size: SDXL's size conditioning, (1, 6);
    clean: what the step before took the latents for, without their noise.
    """

    plan: Plan
    words: Text
    size: Tensor
    schedule: Schedule
    now: Tensor
    clean: Tensor
    index: int = 0

    @classmethod
    def begin(cls, nets: SdxlNetworks, words: Text, plan: Plan, seeds: Sequence[int]) -> "Walk":
        """Stand before the first step of a picture per seed."""
        schedule = solvers.schedule(nets.scheduler, plan.solver, plan.steps, nets.device)
        now = _noise(nets, plan, seeds) * schedule.start_scale
        size = conditioning.time_ids(nets, plan.height_px, plan.width_px, 1)
        return cls(plan, words, size, schedule, now, torch.zeros_like(now))

    @property
    def pictures(self) -> int:
        """How many pictures it paints at once."""
        return len(self.now)

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        return len(self.schedule.timesteps) - self.index

    @property
    def is_sound(self) -> bool:
        """Whether the latents are numbers."""
        return bool(torch.isfinite(self.now).all())


def advance(nets: SdxlNetworks, walks: Sequence[Walk], room: Room) -> None:
    """Take one step of every walk; whatever is raised, no walk has moved.

    Raises ValueError for latents of different sizes.
    """
    if len({walk.now.shape[2:] for walk in walks}) > 1:
        raise ValueError("only latents of one size step together")
    told = torch.split(_told(nets, walks, room).float(), [walk.pictures for walk in walks], dim=1)
    moved = [_stepped(walk, mine) for walk, mine in zip(walks, told, strict=True)]
    for walk, (now, clean) in zip(walks, moved, strict=True):
        walk.now, walk.clean, walk.index = now, clean, walk.index + 1


def _stepped(walk: Walk, told: Tensor) -> tuple[Tensor, Tensor]:
    """Give where a walk's next step leads, and what it takes the latents for."""
    sigmas = walk.schedule.at(walk.index, walk.pictures)
    unwished, wished = told
    noise = sampling.guided(unwished, wished, walk.plan.guidance_scale)
    clean = solvers.clean(walk.now, noise, sigmas.start)
    return SOLVERS[walk.plan.solver](walk.now, clean, walk.clean, sigmas), clean


def _told(nets: SdxlNetworks, walks: Sequence[Walk], room: Room) -> Tensor:
    """Ask the network for the noise in every picture, (2, pictures, 4, h, w): unwished, wished."""
    asked = _Asked.of(walks)
    firsts = range(0, len(asked.timesteps), room.at_once)
    companies = [asked.only(slice(first, first + room.at_once)) for first in firsts]
    sides = _ONE_BY_ONE if room.apart else _BOTH_SIDES
    return torch.cat(
        [torch.cat([company.seen(nets, side) for side in sides]) for company in companies], dim=1
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the network is asked of every picture of a step.

    shown: (pictures, 4, h, w); timesteps: (pictures,); hidden: (2, pictures, tokens, width) and
    pooled: (2, pictures, width), of both sides of guidance; size: (1, 6), of all.
    """

    shown: Tensor
    timesteps: Tensor
    hidden: Tensor
    pooled: Tensor
    size: Tensor

    @classmethod
    def of(cls, walks: Sequence[Walk]) -> "_Asked":
        starts = [walk.schedule.at(walk.index, walk.pictures).start for walk in walks]
        times = [walk.schedule.timesteps[walk.index].expand(walk.pictures) for walk in walks]
        return cls(
            shown=solvers.scaled(torch.cat([walk.now for walk in walks]), torch.cat(starts)),
            timesteps=torch.cat(times),
            hidden=torch.cat([_each(walk.words.hidden, walk.pictures) for walk in walks], dim=1),
            pooled=torch.cat([_each(walk.words.pooled, walk.pictures) for walk in walks], dim=1),
            size=walks[0].size,
        )

    def only(self, some: slice) -> "_Asked":
        return _Asked(
            self.shown[some],
            self.timesteps[some],
            self.hidden[:, some],
            self.pooled[:, some],
            self.size,
        )

    def seen(self, nets: SdxlNetworks, side: slice) -> Tensor:
        """Pass the network once, with one side or both: (sides, pictures, 4, h, w)."""
        hidden, pooled = self.hidden[side], self.pooled[side]
        sides, pictures = hidden.shape[:2]
        predicted: Tensor = nets.unet(
            self.shown.to(nets.dtype).repeat(sides, 1, 1, 1),
            self.timesteps.repeat(sides),
            encoder_hidden_states=hidden.flatten(0, 1),
            added_cond_kwargs={
                "text_embeds": pooled.flatten(0, 1),
                "time_ids": self.size.expand(sides * pictures, -1),
            },
            return_dict=False,
        )[0]
        return predicted.reshape(sides, pictures, *predicted.shape[1:])


def _each(rows: Tensor, pictures: int) -> Tensor:
    """Repeat both rows of words, (2, …), for every picture of a walk, (2, pictures, …)."""
    return rows[:, None].expand(-1, pictures, *rows.shape[1:])


def _noise(nets: SdxlNetworks, plan: Plan, seeds: Sequence[int]) -> Tensor:
    """Draw on the CPU, so that a seed means the same picture on every device."""
    shape = (_CHANNELS, plan.height_px // nets.factor, plan.width_px // nets.factor)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    drawn = [torch.randn(shape, generator=generator) for generator in generators]
    return torch.stack(drawn).to(nets.device)
