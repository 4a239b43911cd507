"""Ways from noise to latents that need few steps: Euler, and DPM-Solver++(2M), arXiv 2211.01095.

Latents are clean ones plus noise of standard deviation sigma. A step is a plain function of where
it starts and what was predicted there: rows may stand at different sigmas of different runs, and
nothing is kept. `sampling` holds the ones that think in shares of signal and noise instead.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from torch import Tensor

_TABLES: Final = {"euler": EulerDiscreteScheduler, "dpmpp_2m": DPMSolverMultistepScheduler}
_SECOND_ORDER: Final = {"solver_order": 2, "final_sigmas_type": "zero"}


class Sigmas(NamedTuple):
    """Where a step was before, starts and ends, (rows,) each; a first step was at infinity."""

    before: Tensor
    start: Tensor
    end: Tensor


Step: TypeAlias = Callable[[Tensor, Tensor, Tensor, Sigmas], Tensor]
"""Latents, what they are clean, what the step before said they are clean (any finite value in a
first step), and the sigmas: to latents. All are (rows, 4, height, width)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run: the timesteps that the network is told, (steps,), and sigmas, (steps + 1,).

    The last sigma is 0. Noise times `start_scale` is where a run starts.
    """

    timesteps: Tensor
    sigmas: Tensor
    start_scale: float

    def at(self, index: int, rows: int) -> Sigmas:
        """Give the sigmas of step `index` for `rows` rows that walk side by side."""
        start, end = self.sigmas[index], self.sigmas[index + 1]
        before = self.sigmas[index - 1] if index else torch.full_like(start, math.inf)
        return Sigmas(*(sigma.expand(rows) for sigma in (before, start, end)))


def schedule(config: Mapping[str, Any], solver: str, steps: int, device: torch.device) -> Schedule:
    """Lay out a run of `steps` by `solver`, a name in SOLVERS; `config` is the published one."""
    asked = dict(config) | ({} if solver == "euler" else _SECOND_ORDER)
    table = _TABLES[solver].from_config(asked)
    table.set_timesteps(steps)
    # Diffusers' DPM-Solver keeps the variance at 1 where these latents grow with sigma.
    grown = math.hypot(1.0, table.sigmas[0].item())
    return Schedule(
        timesteps=table.timesteps.float().to(device),
        sigmas=table.sigmas.float().to(device),
        start_scale=float(table.init_noise_sigma) if solver == "euler" else grown,
    )


def scaled(latents: Tensor, sigma: Tensor) -> Tensor:
    """Bring latents to the variance that the network reads; sigma is (rows,)."""
    return latents / (_rows(sigma) ** 2 + 1).sqrt()


def clean(latents: Tensor, predicted: Tensor, sigma: Tensor) -> Tensor:
    """Take the predicted noise away; sigma is (rows,)."""
    return latents - _rows(sigma) * predicted


def euler_step(latents: Tensor, now: Tensor, before: Tensor, sigmas: Sigmas) -> Tensor:
    """Go straight towards `now`, what the latents are clean; `before` says nothing."""
    del before
    return now + (latents - now) * _rows(sigmas.end / sigmas.start)


def dpmpp_2m_step(latents: Tensor, now: Tensor, before: Tensor, sigmas: Sigmas) -> Tensor:
    """Go towards what `before` and `now` lead to; a first and a last step go straight."""
    ahead = (sigmas.start / sigmas.end).log() / (sigmas.before / sigmas.start).log()
    lean = torch.where(sigmas.end > 0, ahead / 2, 0.0)
    return euler_step(latents, now + (now - before) * _rows(lean), now, sigmas)


SOLVERS: Final[Mapping[str, Step]] = {"euler": euler_step, "dpmpp_2m": dpmpp_2m_step}


def _rows(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)
