from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from handlers.diffusion import sampling
from tests.handlers.diffusion import tiny

CONFIG = tiny.networks().scheduler
SHAPE = (1, 4, 6, 5)


def normal(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def predicted(index: int) -> Tensor:
    return normal(index).flip(-1)


TABLES = {
    "ddpm": DDPMScheduler,
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
}
SECOND_ORDER = {"dpmpp_2m": {"solver_order": 2, "final_sigmas_type": "zero"}}
strengths = st.sampled_from([0.3, 0.6, 1.0])


def ours(config: Any, sampler: str, steps: int, strength: float, seed: int) -> list[Tensor]:  # noqa: ANN401
    """Give what the network would be shown in each step, and at last the latents."""
    plan = sampling.schedule(config, sampler, steps, strength)
    make = torch.Generator().manual_seed(seed)
    now = normal(seed) * plan.start_scale
    if strength < 1:
        now = sampling.started(plan, normal(seed + 1), normal(seed))
    before, shown = None, []
    for index in range(len(plan.timesteps)):
        shown.append(now)
        fresh = torch.randn(SHAPE, generator=make) if plan.draws else None
        stepped = sampling.step(plan, index, predicted(index), now, before, fresh)
        now, before = stepped.latents, stepped.clean
    return [*shown, now]


def theirs(config: Any, sampler: str, steps: int, strength: float, seed: int) -> list[Tensor]:  # noqa: ANN401
    """Do as diffusers' pipelines do with diffusers' own scheduler."""
    table: Any = TABLES[sampler].from_config({**config, **SECOND_ORDER.get(sampler, {})})
    table.set_timesteps(steps)
    make, shown = torch.Generator().manual_seed(seed), []
    timesteps = table.timesteps[steps - int(steps * strength) :]
    now = normal(seed) * table.init_noise_sigma
    if strength < 1:
        if hasattr(table, "set_begin_index"):
            table.set_begin_index(steps - len(timesteps))
        now = table.add_noise(normal(seed + 1), normal(seed), timesteps[:1])
    for index, timestep in enumerate(timesteps):
        shown.append(table.scale_model_input(now, timestep))
        drawn = {"generator": make} if sampler == "ddpm" else {}
        now = table.step(predicted(index), timestep, now, **drawn).prev_sample
    return [*shown, now]


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("betas", [{}, {"rescale_betas_zero_snr": False}])
@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
@settings(max_examples=25, deadline=None)
@given(steps=st.integers(2, 60), strength=strengths, seed=st.integers(0, 2**32))
def test_every_sampler_is_diffusers_own(
    spacing: str, betas: dict[str, bool], sampler: str, steps: int, strength: float, seed: int
) -> None:
    singular = not betas and spacing == "trailing" and sampler in ("ddpm", "ddim")
    if int(steps * strength) < 1 or singular:  # from no signal at all noise says nothing
        return
    config = {**CONFIG, "timestep_spacing": spacing, **betas}
    mine = ours(config, sampler, steps, strength, seed)
    expected = theirs(config, sampler, steps, strength, seed)
    assert len(mine) == len(expected)
    for one, other in zip(mine, expected, strict=True):
        assert tiny.relative(one, other) < 1e-5


@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
def test_the_network_is_told_diffusers_own_timesteps(sampler: str) -> None:
    table: Any = TABLES[sampler].from_config({**CONFIG, **SECOND_ORDER.get(sampler, {})})
    table.set_timesteps(20)
    plan = sampling.schedule(CONFIG, sampler, 20, 0.5)
    assert plan.timesteps.tolist() == table.timesteps[10:].tolist()


@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
def test_a_step_says_what_is_clean(sampler: str) -> None:
    """The prediction's own noise taken away again leaves what it was added to."""
    plan = sampling.schedule(CONFIG, sampler, 10, 0.8)
    clean, noise = normal(1), normal(2)
    stepped = sampling.step(plan, 0, noise, sampling.started(plan, clean, noise), None, normal(3))
    assert tiny.relative(stepped.clean, clean) < 1e-4


def test_a_sampler_that_draws_wants_noise() -> None:
    plan = sampling.schedule(CONFIG, "ddpm", 10, 1.0)
    with pytest.raises(ValueError, match="fresh noise"):
        sampling.step(plan, 0, normal(1), normal(2), None, None)


def test_rows_may_stand_at_different_timesteps() -> None:
    plan = sampling.schedule(CONFIG, "ddpm", 30, 1.0)
    times = plan.timesteps[[3, 20, 29]]
    rows = [torch.cat([normal(seed + row) for row in range(3)]) for seed in (0, 10, 20)]
    together = sampling.ddpm_step(plan, rows[0], times, rows[1], rows[2])
    for row, timestep in enumerate(times):
        predicted, latents, noise = (one[row : row + 1] for one in rows)
        alone = sampling.ddpm_step(plan, predicted, timestep, latents, noise)
        assert torch.equal(alone[0], together[row])


def test_a_strength_that_leaves_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves none of 10 steps"):
        sampling.schedule(CONFIG, "ddpm", 10, 0.05)
