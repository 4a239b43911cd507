"""Runs that stand at different steps, with their own guidance and seeds, step together.

Only the size of the latents must agree. Every row of a network's batch is worked out by itself, so
a run is what it would be alone, but for rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from handlers.diffusion import features, garment_pass, passes, sampling
from handlers.diffusion.attention import GarmentFeatures, Reference
from handlers.diffusion.batch import Batch
from handlers.diffusion.denoising import Noise, Run, Step
from handlers.diffusion.features_store import FeatureStore
from handlers.diffusion.loading import Networks
from handlers.diffusion.networks import Predicted
from handlers.diffusion.sampling import Stepped


@dataclass(slots=True)
class Walk:
    """A run under way: its latents (rows, 4, h, w), and the number of the step that is next.

    `fresh` is the noise that was drawn for that step, kept until the step succeeds, so that one
    that has to be taken again is taken with the same. `clean` is what the last step said the
    latents are without noise, None before the first. `deep` is what the network's deep layers said
    when they last ran, where later steps use it. `looks` counts how often the garment network ran
    for it.
    """

    run: Run
    noise: Noise
    now: Tensor
    index: int = 0
    fresh: Tensor | None = None
    clean: Tensor | None = None
    deep: Tensor | None = None
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
    def guided(self) -> bool:
        """Whether the next step makes an unconditional prediction beside the conditional one."""
        return self.run.plan.guided_at(self.index)

    @property
    def refreshes(self) -> bool:
        """Whether the next step runs the deep layers, and so asks what the garment looks like."""
        return self.run.plan.refreshes(self.index)

    @property
    def is_sound(self) -> bool:
        """Whether the latents are numbers."""
        return bool(torch.isfinite(self.now).all())


@dataclass(frozen=True, slots=True)
class Told:
    """What the network was shown of a walk, what it predicted, and what its deep layers said.

    Each has the walk's unconditional rows first, where the step is guided.
    """

    sample: Tensor
    predicted: Tensor
    deep: Tensor


def advance(nets: Networks, walks: Sequence[Walk], store: FeatureStore | None = None) -> None:
    """Take one step of every walk; whatever is raised, no walk has moved.

    What is seen of a garment is looked up in `store`, and kept there, even if the step fails.
    Raises ValueError for latents of different sizes.
    """
    if len({walk.now.shape[2:] for walk in walks}) > 1:
        raise ValueError("only latents of one size step together")
    looking = [walk for walk in walks if walk.refreshes]
    looks = [walk.run.look(walk.index) for walk in looking]
    seen = features.see(nets, looks, store or FeatureStore()) if looks else []
    garment = [walk.run.spread(one.features) for walk, one in zip(looking, seen, strict=True)]
    _move(walks, _told(nets, walks, garment))
    for walk, one in zip(looking, seen, strict=True):
        walk.looks += one.is_new


def are_sound(walks: Sequence[Walk]) -> list[bool]:
    """Say of each walk whether its latents are numbers; the device is waited for once."""
    finite = [torch.isfinite(walk.now).all() for walk in walks]
    told: list[bool] = torch.stack(finite).tolist() if finite else []
    return told


def denoise(
    nets: Networks,
    run: Run,
    noise: Noise,
    on_step: Callable[[Step], None],
    store: FeatureStore | None = None,
) -> Tensor:
    """Take all steps of a run that has no company; give clean latents (rows, 4, h, w) in float32.

    `on_step` hears of each; what it raises ends the run. What is seen of the garment is looked up
    in `store`, and kept there. Networks that do not stay on the device come one after the other.
    """
    walk, of = Walk.begin(run, noise), len(run.schedule.timesteps)
    looking = [index for index in range(of) if run.plan.refreshes(index)]
    looks = [run.look(index) for index in looking]
    with garment_pass.at_work(nets, looks, store or FeatureStore()) as seen:
        for index in range(of):
            garment = [run.spread(seen(looking.index(index)))] if walk.refreshes else []
            [told] = _told(nets, [walk], garment)
            _move([walk], [told])
            on_step(Step(index, of, told.sample, sum(garment, ()), told.predicted, walk.now))
    return walk.now


def _told(nets: Networks, walks: Sequence[Walk], garment: Sequence[GarmentFeatures]) -> list[Told]:
    """Ask the network about all walks: those that refresh in one pass, the others in another.

    `garment` is what those that refresh see of theirs.
    """
    groups = [walk for walk in walks if walk.refreshes], [w for w in walks if not w.refreshes]
    told: dict[int, Told] = {}
    for group in filter(None, groups):
        batch = Batch(group)
        sample = batch.sample()
        predicted, deep = _pass(nets, batch, sample, garment)
        parts = (batch.parted(one) for one in (sample, predicted.float(), deep))
        for walk, *one in zip(group, *parts, strict=True):
            told[id(walk)] = Told(*one)
    return [told[id(walk)] for walk in walks]


def _pass(
    nets: Networks, batch: Batch[Walk], sample: Tensor, garment: Sequence[GarmentFeatures]
) -> Predicted:
    """Run the try-on network once: whole, or with what its deep layers said before."""
    shown, times = sample.to(nets.dtype), batch.timesteps()
    told = batch.text_embeds(), batch.time_ids()
    if batch.walks[0].refreshes:
        reference = Reference(_together(garment), batch.prompt())
        return passes.whole(nets, shown, times, reference, *told)
    deep = batch.joined([walk.deep for walk in batch.walks if walk.deep is not None])
    return passes.fine(nets, shown, times, deep, *told)


def _together(garment: Sequence[GarmentFeatures]) -> GarmentFeatures:
    """Features of all walks as rows of one batch."""
    if len(garment) == 1:
        return garment[0]
    return tuple(torch.cat(layers) for layers in zip(*garment, strict=True))


def _move(walks: Sequence[Walk], told: Sequence[Told]) -> None:
    """Work out everybody's next latents, then go there."""
    moved = [_stepped(walk, one.predicted) for walk, one in zip(walks, told, strict=True)]
    for walk, to, one in zip(walks, moved, told, strict=True):
        if walk.run.plan.step_cache > 1 and walk.refreshes:
            walk.deep = one.deep.clone()  # a part of a batch would keep all of it in memory
        walk.now, walk.clean, walk.index, walk.fresh = to.latents, to.clean, walk.index + 1, None


def _stepped(walk: Walk, predicted: Tensor) -> Stepped:
    schedule = walk.run.schedule
    if schedule.draws and walk.fresh is None:
        walk.fresh = walk.noise.draw("step", walk.now.shape).to(walk.now.device)
    if walk.guided:
        unconditional, conditional = predicted.chunk(2)
        scale = walk.run.plan.guidance_scale
        predicted = sampling.guided(unconditional, conditional, scale)
    return sampling.step(schedule, walk.index, predicted, walk.now, walk.clean, walk.fresh)
