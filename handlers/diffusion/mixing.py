"""Runs that stand at different steps, with their own guidance and seeds, step together.

Only the size of the latents must agree. Every row of a network's batch is worked out by itself, so
a run is what it would be alone, but for rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from handlers.diffusion import features, networks, sampling
from handlers.diffusion.attention import GarmentFeatures, PromptKeys, Reference
from handlers.diffusion.denoising import Noise, Plan, Run
from handlers.diffusion.features_store import FeatureStore
from handlers.diffusion.loading import Networks
from handlers.diffusion.sampling import Stepped


@dataclass(slots=True)
class Walk:
    """A run under way: its latents (rows, 4, h, w), and the number of the step that is next.

    `fresh` is the noise that was drawn for that step, kept until the step succeeds, so that one
    that has to be taken again is taken with the same. `clean` is what the last step said the
    latents are without noise, None before the first. `looks` counts how often the garment network
    ran for it.
    """

    run: Run
    noise: Noise
    now: Tensor
    index: int = 0
    fresh: Tensor | None = None
    clean: Tensor | None = None
    looks: int = 0

    @classmethod
    def begin(cls, run: Run, noise: Noise) -> "Walk":
        """Stand at the first step."""
        return cls(run, noise, run.start)

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        return len(self.run.schedule.timesteps) - self.index

    @property
    def timestep(self) -> Tensor:
        """The timestep that is next."""
        return self.run.schedule.timesteps[self.index]

    @property
    def is_sound(self) -> bool:
        """Whether the latents are numbers."""
        return bool(torch.isfinite(self.now).all())


def advance(nets: Networks, walks: Sequence[Walk], store: FeatureStore | None = None) -> None:
    """Take one step of every walk; whatever is raised, no walk has moved.

    What is seen of a garment is looked up in `store`, and kept there, even if the step fails.
    Raises ValueError for latents of different sizes.
    """
    if len({walk.now.shape[2:] for walk in walks}) > 1:
        raise ValueError("only latents of one size step together")
    seen = features.see(
        nets, [walk.run.look(walk.index) for walk in walks], store or FeatureStore()
    )
    garment = [walk.run.spread(one.features) for walk, one in zip(walks, seen, strict=True)]
    predicted = _predicted(nets, walks, garment)
    moved = [_stepped(walk, noise) for walk, noise in zip(walks, predicted, strict=True)]
    for walk, to, one in zip(walks, moved, seen, strict=True):
        walk.now, walk.clean, walk.index, walk.fresh = to.latents, to.clean, walk.index + 1, None
        walk.looks += one.is_new


def _predicted(
    nets: Networks, walks: Sequence[Walk], garment: Sequence[GarmentFeatures]
) -> list[Tensor]:
    """The guided noise of each walk, by one pass of each network."""
    guided = [walk for walk in walks if walk.run.plan.guided]
    rows = [
        *guided,
        *walks,
    ]  # a guided walk's unconditional rows, then everybody's conditional ones
    sample = torch.cat([torch.cat([walk.now, walk.run.fixed], dim=1) for walk in rows])
    reference = Reference(_together(garment), _prompt(guided, walks))
    predicted = networks.predict_noise(
        nets.tryon,
        sample.to(nets.dtype),
        torch.cat([_timesteps(walk) for walk in rows]),
        reference,
        _paired([walk.run.text_embeds for walk in guided], [walk.run for walk in walks]),
        torch.cat([walk.run.time_ids[: walk.run.plan.rows] for walk in rows]),
    ).float()
    parts = list(torch.split(predicted, [walk.run.plan.rows for walk in rows]))
    unconditional = {id(walk): parts.pop(0) for walk in guided}
    return [
        _leaned(walk.run.plan, unconditional.get(id(walk)), conditional)
        for walk, conditional in zip(walks, parts, strict=True)
    ]


def _together(garment: Sequence[GarmentFeatures]) -> GarmentFeatures:
    """Features of all walks as rows of one batch."""
    if len(garment) == 1:
        return garment[0]
    return tuple(torch.cat(layers) for layers in zip(*garment, strict=True))


def _prompt(guided: Sequence[Walk], walks: Sequence[Walk]) -> tuple[PromptKeys, ...]:
    """Keys and values of every layer for all rows, in the rows' order."""
    if len(walks) == 1:  # they lie in that order already
        return walks[0].run.prompt
    layers = range(len(walks[0].run.prompt))
    return tuple(
        PromptKeys(
            *(
                torch.cat(
                    [
                        *(walk.run.prompt[layer][part][: walk.run.plan.rows] for walk in guided),
                        *(walk.run.prompt[layer][part][-walk.run.plan.rows :] for walk in walks),
                    ]
                )
                for part in range(len(PromptKeys._fields))
            )
        )
        for layer in layers
    )


def _paired(unconditional: Sequence[Tensor], runs: Sequence[Run]) -> Tensor:
    """Pooled text of all rows, in the rows' order; a run's own unconditional half comes first."""
    halves = [embeds[: len(embeds) // 2] for embeds in unconditional]
    return torch.cat([*halves, *(run.text_embeds[-run.plan.rows :] for run in runs)])


def _timesteps(walk: Walk) -> Tensor:
    return walk.timestep.expand(walk.run.plan.rows)


def _leaned(plan: Plan, unconditional: Tensor | None, conditional: Tensor) -> Tensor:
    if unconditional is None:
        return conditional
    return sampling.guided(unconditional, conditional, plan.guidance_scale)


def _stepped(walk: Walk, predicted: Tensor) -> Stepped:
    schedule = walk.run.schedule
    if schedule.draws and walk.fresh is None:
        walk.fresh = walk.noise.draw("step", walk.now.shape).to(walk.now.device)
    return sampling.step(schedule, walk.index, predicted, walk.now, walk.clean, walk.fresh)
