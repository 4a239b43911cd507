"""Walking from noise to latents: schedules as tables, steps as plain functions.

Latents are the mix of signal and noise that a denoiser reads, whose variance stays 1. None of the
functions keeps state. DDPM is arXiv 2006.11239 with the posterior variance ("fixed_small"), DDIM
arXiv 2010.02502 without noise; Euler and DPM-Solver++(2M) are those of `solvers`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from handlers.diffusion import solvers
from handlers.diffusion.solvers import SOLVERS

_LEAST_VARIANCE: Final = 1e-20
_TABLES: Final = {"ddpm": DDPMScheduler, "ddim": DDIMScheduler}
SAMPLERS: Final = (*_TABLES, *SOLVERS)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The timesteps of one run, falling, and what of the signal is left at each of all timesteps.

    timesteps: (steps,) int64, of a solver float32; alphas_cumprod: (training timesteps,) float32;
    `stride` leads from a timestep to the next; `final_alpha` is what is left beyond the last;
    `start_scale` is what a run's first noise is multiplied by. sigmas: (steps + 1,) of a solver.
    """

    sampler: str
    timesteps: Tensor
    alphas_cumprod: Tensor
    stride: int
    final_alpha: float
    start_scale: float = 1.0
    sigmas: Tensor | None = None

    @property
    def draws(self) -> bool:
        """Whether every step wants fresh noise."""
        return self.sampler == "ddpm"

    def last(self, steps: int) -> "Schedule":
        """Leave out all but the last steps."""
        sigmas = None if self.sigmas is None else self.sigmas[-steps - 1 :]
        return replace(self, timesteps=self.timesteps[-steps:], sigmas=sigmas)

    def to(self, device: torch.device) -> "Schedule":
        """Lay the tables where the latents are."""
        return replace(
            self,
            timesteps=self.timesteps.to(device),
            alphas_cumprod=self.alphas_cumprod.to(device),
            sigmas=None if self.sigmas is None else self.sigmas.to(device),
        )


@dataclass(frozen=True, slots=True)
class Stepped:
    """Where a step led, and what the latents were said to be without noise before it."""

    latents: Tensor
    clean: Tensor


def schedule(config: Mapping[str, Any], sampler: str, steps: int, strength: float) -> Schedule:
    """Lay out a run of `steps` by `sampler`, a name in SAMPLERS.

    A strength below 1 leaves out the early ones; one that leaves none raises ValueError. `config`
    is the published scheduler configuration.
    """
    walked = min(int(steps * strength), steps)
    if walked < 1:
        raise ValueError(f"a strength of {strength} leaves none of {steps} steps")
    table = _TABLES.get(sampler, DDPMScheduler).from_config(dict(config))
    if sampler in SOLVERS:
        return _solved(config, sampler, steps, table.alphas_cumprod).last(walked)
    table.set_timesteps(steps)
    last = table.alphas_cumprod[0] if config.get("set_alpha_to_one", True) is False else 1.0
    return Schedule(
        sampler=sampler,
        timesteps=table.timesteps,
        alphas_cumprod=table.alphas_cumprod,
        stride=table.config.num_train_timesteps // steps,
        final_alpha=float(last) if sampler == "ddim" else 1.0,
    ).last(walked)


def _solved(
    config: Mapping[str, Any], sampler: str, steps: int, alphas_cumprod: Tensor
) -> Schedule:
    table = solvers.schedule(config, sampler, steps, alphas_cumprod.device)
    grown = math.hypot(1.0, table.sigmas[0].item())
    return Schedule(
        sampler=sampler,
        timesteps=table.timesteps,
        alphas_cumprod=alphas_cumprod,
        stride=0,
        final_alpha=1.0,
        start_scale=table.start_scale / grown,
        sigmas=table.sigmas,
    )


def started(plan: Schedule, clean: Tensor, noise: Tensor) -> Tensor:
    """Bring clean latents (rows, 4, height, width) to where the first step of a run starts."""
    if plan.sigmas is None:
        return add_noise(plan, clean, noise, plan.timesteps[0])
    return solvers.scaled(clean + plan.sigmas[0] * noise, plan.sigmas[0])


def add_noise(plan: Schedule, latents: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
    """Bring clean `latents` (rows, 4, height, width) to `timestep` (rows,) or ()."""
    signal, spoiled = _shares(plan, timestep)
    return signal.sqrt() * latents + spoiled.sqrt() * noise


def step(
    plan: Schedule,
    index: int,
    predicted: Tensor,
    latents: Tensor,
    before: Tensor | None,
    fresh: Tensor | None,
) -> Stepped:
    """Take the step that is number `index` of a run, by its sampler.

    `before` is what the step before said is clean, None in a first step; `fresh` is noise for a
    sampler that draws.
    """
    if plan.sigmas is not None:
        return _solver_step(plan, plan.sigmas, index, predicted, latents, before)
    timestep = plan.timesteps[index]
    signal, spoiled = _shares(plan, timestep)
    clean = (latents - spoiled.sqrt() * predicted) / signal.sqrt()
    if not plan.draws:
        return Stepped(ddim_step(plan, predicted, timestep, latents), clean)
    if fresh is None:
        raise ValueError(f"a step of {plan.sampler} wants fresh noise")
    return Stepped(ddpm_step(plan, predicted, timestep, latents, fresh), clean)


def _solver_step(
    plan: Schedule,
    sigmas: Tensor,
    index: int,
    predicted: Tensor,
    latents: Tensor,
    before: Tensor | None,
) -> Stepped:
    """Step in latents that grow with sigma, as `solvers` does, there and back."""
    at = solvers.Schedule(plan.timesteps, sigmas, plan.start_scale).at(index, len(latents))
    grown = latents * (_rows(at.start) ** 2 + 1).sqrt()
    clean = solvers.clean(grown, predicted, at.start)
    moved = SOLVERS[plan.sampler](grown, clean, clean if before is None else before, at)
    return Stepped(solvers.scaled(moved, at.end), clean)


def ddpm_step(
    plan: Schedule, predicted: Tensor, timestep: Tensor, latents: Tensor, noise: Tensor
) -> Tensor:
    """Take one ancestral step from `timestep`; `noise` is fresh, of the latents' shape."""
    signal, spoiled = _shares(plan, timestep)
    signal_after, spoiled_after = _shares(plan, _following(plan, timestep))
    kept = signal / signal_after
    added = 1 - kept
    clean = (latents - spoiled.sqrt() * predicted) / signal.sqrt()
    mean = signal_after.sqrt() * added / spoiled * clean
    mean = mean + kept.sqrt() * spoiled_after / spoiled * latents
    variance = (spoiled_after / spoiled * added).clamp(min=_LEAST_VARIANCE)
    return mean + (_rows(timestep) > 0) * variance.sqrt() * noise


def ddim_step(plan: Schedule, predicted: Tensor, timestep: Tensor, latents: Tensor) -> Tensor:
    """Take one deterministic step from `timestep`."""
    signal, spoiled = _shares(plan, timestep)
    signal_after, spoiled_after = _shares(plan, timestep - plan.stride)
    clean = (latents - spoiled.sqrt() * predicted) / signal.sqrt()
    return signal_after.sqrt() * clean + spoiled_after.sqrt() * predicted


def guided(unconditional: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (arXiv 2207.12598): lean from the one prediction to the other."""
    return unconditional + scale * (conditional - unconditional)


def _shares(plan: Schedule, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """Signal and noise shares at `timestep`, shaped to multiply (rows, 4, height, width)."""
    at = _rows(timestep)
    signal = torch.where(at >= 0, plan.alphas_cumprod[at.clamp(min=0)], plan.final_alpha)
    return signal, 1 - signal


def _following(plan: Schedule, timestep: Tensor) -> Tensor:
    """Give the run's own next timestep, -1 after its last; a stride misses it by rounding."""
    beyond = plan.timesteps.new_full((1,), -1)
    after = torch.cat([plan.timesteps[1:], beyond])
    return after[(plan.timesteps == timestep.reshape(-1, 1)).int().argmax(dim=1)]


def _rows(timestep: Tensor) -> Tensor:
    return timestep.reshape(-1, 1, 1, 1)
