import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from handlers.diffusion import sampling
from tests.handlers.diffusion import tiny

CONFIG = tiny.networks().scheduler
SHAPE = (1, 4, 6, 5)


def normal(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=100, deadline=None)
@given(steps=st.integers(1, 60), strength=st.floats(0.05, 1.0), seed=st.integers(0, 2**32))
def test_ancestral_steps_are_diffusers_own(steps: int, strength: float, seed: int) -> None:
    if int(steps * strength) < 1:
        return
    theirs = DDPMScheduler.from_config(dict(CONFIG))
    theirs.set_timesteps(steps)
    plan = sampling.schedule(CONFIG, "ddpm", steps, strength)
    assert plan.timesteps.tolist() == theirs.timesteps[steps - int(steps * strength) :].tolist()
    make, now = torch.Generator().manual_seed(seed), normal(seed)
    mine = now
    for index, timestep in enumerate(plan.timesteps):
        predicted = normal(index)
        # Theirs draws no noise at timestep 0, which this schedule never reaches.
        noise = torch.randn(SHAPE, generator=torch.Generator().set_state(make.get_state()))
        mine = sampling.ddpm_step(plan, predicted, timestep, mine, noise)
        now = theirs.step(predicted, timestep, now, generator=make).prev_sample
    assert tiny.relative(mine, now) < 1e-5


@settings(max_examples=100, deadline=None)
@given(steps=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_deterministic_steps_are_diffusers_own(steps: int, seed: int) -> None:
    theirs = DDIMScheduler.from_config(dict(CONFIG))
    theirs.set_timesteps(steps)
    plan = sampling.schedule(CONFIG, "ddim", steps, 1.0)
    mine = now = normal(seed)
    for index, timestep in enumerate(plan.timesteps):
        predicted = normal(index)
        mine = sampling.ddim_step(plan, predicted, timestep, mine)
        now = theirs.step(predicted, timestep, now).prev_sample
    assert tiny.relative(mine, now) < 1e-5


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
