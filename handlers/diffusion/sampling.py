"""Walking from noise to latents: schedules as tables, steps as plain functions.

Every function takes rows that may stand at different timesteps, and none keeps state. DDPM is
arXiv 2006.11239 with the posterior variance ("fixed_small"), DDIM arXiv 2010.02502 without noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

_LEAST_VARIANCE: Final = 1e-20
SAMPLERS: Final = {"ddpm": DDPMScheduler, "ddim": DDIMScheduler}


@dataclass(frozen=True, slots=True)
class Schedule:
    """The timesteps of one run, falling, and what of the signal is left at each of all timesteps.

    timesteps: (steps,) int64; alphas_cumprod: (training timesteps,) float32; `stride` leads from a
    timestep to the next; `final_alpha` is what is left beyond the last.
    """

    timesteps: Tensor
    alphas_cumprod: Tensor
    stride: int
    final_alpha: float

    def to(self, device: torch.device) -> "Schedule":
        """Lay the tables where the latents are."""
        return replace(
            self,
            timesteps=self.timesteps.to(device),
            alphas_cumprod=self.alphas_cumprod.to(device),
        )


def schedule(config: Mapping[str, Any], sampler: str, steps: int, strength: float) -> Schedule:
    """Lay out a run of `steps` by `sampler`, "ddpm" or "ddim".

    A strength below 1 leaves out the early ones; one that leaves none raises ValueError. `config`
    is the published scheduler configuration.
    """
    table = SAMPLERS[sampler].from_config(dict(config))
    table.set_timesteps(steps)
    walked = min(int(steps * strength), steps)
    if walked < 1:
        raise ValueError(f"a strength of {strength} leaves none of {steps} steps")
    last = table.alphas_cumprod[0] if config.get("set_alpha_to_one", True) is False else 1.0
    return Schedule(
        timesteps=table.timesteps[steps - walked :],
        alphas_cumprod=table.alphas_cumprod,
        stride=table.config.num_train_timesteps // steps,
        final_alpha=float(last) if sampler == "ddim" else 1.0,
    )


def add_noise(plan: Schedule, latents: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
    """Bring clean `latents` (rows, 4, height, width) to `timestep` (rows,) or ()."""
    signal, spoiled = _shares(plan, timestep)
    return signal.sqrt() * latents + spoiled.sqrt() * noise


def ddpm_step(
    plan: Schedule, predicted: Tensor, timestep: Tensor, latents: Tensor, noise: Tensor
) -> Tensor:
    """Take one ancestral step from `timestep`; `noise` is fresh, of the latents' shape."""
    signal, spoiled = _shares(plan, timestep)
    signal_after, spoiled_after = _shares(plan, timestep - plan.stride)
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


def _rows(timestep: Tensor) -> Tensor:
    return timestep.reshape(-1, 1, 1, 1)
