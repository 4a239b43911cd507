from typing import Any

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from handlers.diffusion import solvers
from handlers.diffusion.solvers import SOLVERS, Schedule, Sigmas
from tests.handlers.diffusion import tiny, tiny_sdxl

CPU = torch.device("cpu")
SHAPE = (1, 4, 6, 5)
SPACINGS = st.sampled_from(["leading", "trailing", "linspace"])
configs = st.fixed_dictionaries({"timestep_spacing": SPACINGS, "use_karras_sigmas": st.booleans()})


def normal(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def predicted(index: int) -> Tensor:
    return normal(index).flip(-1)


def ours(config: dict[str, Any], solver: str, steps: int, seed: int) -> list[Tensor]:
    """Give what the network would be shown in each step, and at last the latents."""
    plan = solvers.schedule(config, solver, steps, CPU)
    now, before, shown = normal(seed) * plan.start_scale, torch.zeros(SHAPE), []
    for index in range(steps):
        sigmas = plan.at(index, 1)
        shown.append(solvers.scaled(now, sigmas.start))
        clean = solvers.clean(now, predicted(index), sigmas.start)
        now, before = SOLVERS[solver](now, clean, before, sigmas), clean
    return [*shown, now]


def theirs(table: Any, steps: int, seed: int) -> list[Tensor]:  # noqa: ANN401  a scheduler
    table.set_timesteps(steps)
    now, shown = normal(seed) * table.init_noise_sigma, []
    for index, timestep in enumerate(table.timesteps):
        shown.append(table.scale_model_input(now, timestep))
        now = table.step(predicted(index), timestep, now).prev_sample
    return [*shown, now]


def assert_same_way(one: list[Tensor], other: list[Tensor]) -> None:
    assert len(one) == len(other)
    for mine, expected in zip(one, other, strict=True):
        assert tiny.relative(mine, expected) < 1e-5


@settings(max_examples=100, deadline=None)
@given(changes=configs, steps=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_euler_is_diffusers_own(changes: dict[str, Any], steps: int, seed: int) -> None:
    config = tiny_sdxl.SCHEDULER | changes
    table = EulerDiscreteScheduler.from_config(config)
    assert_same_way(ours(config, "euler", steps, seed), theirs(table, steps, seed))
    assert torch.equal(solvers.schedule(config, "euler", steps, CPU).timesteps, table.timesteps)


@settings(max_examples=100, deadline=None)
@given(changes=configs, steps=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_dpm_solver_is_diffusers_own(changes: dict[str, Any], steps: int, seed: int) -> None:
    config = tiny_sdxl.SCHEDULER | changes
    table = DPMSolverMultistepScheduler.from_config(config)
    assert_same_way(ours(config, "dpmpp_2m", steps, seed), theirs(table, steps, seed))
    assert torch.equal(solvers.schedule(config, "dpmpp_2m", steps, CPU).timesteps, table.timesteps)


@pytest.mark.parametrize("solver", SOLVERS)
@given(steps=st.lists(st.integers(1, 30), min_size=2, max_size=5), seed=st.integers(0, 2**32))
def test_rows_of_different_runs_step_together(solver: str, steps: list[int], seed: int) -> None:
    plans = [solvers.schedule(tiny_sdxl.SCHEDULER, solver, count, CPU) for count in steps]
    points = [plan.at(seed % len(plan.timesteps), 1) for plan in plans]
    rows = [torch.cat([normal(seed + row + kind) for row in range(len(plans))]) for kind in (0, 99)]
    latents, clean, before = rows[0], rows[1], rows[0] - rows[1]
    sigmas = Sigmas(*(torch.cat(column) for column in zip(*points, strict=True)))
    together = SOLVERS[solver](latents, clean, before, sigmas)
    for row, point in enumerate(points):
        one = slice(row, row + 1)
        alone = SOLVERS[solver](latents[one], clean[one], before[one], point)
        assert torch.equal(alone, together[one])


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_run_ends_clean(solver: str) -> None:
    plan: Schedule = solvers.schedule(tiny_sdxl.SCHEDULER, solver, 7, CPU)
    assert (len(plan.timesteps), len(plan.sigmas)) == (7, 8)
    assert plan.sigmas[-1] == 0
    last = plan.at(6, 1)
    assert torch.equal(SOLVERS[solver](normal(1), normal(2), normal(3), last), normal(2))
