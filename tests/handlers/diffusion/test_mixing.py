"""Random mixes on the tiny model: each run is what it would be alone, whoever steps beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from handlers.diffusion import denoising, mixing, sampling
from handlers.diffusion.denoising import Plan
from handlers.diffusion.mixing import Walk, advance, are_sound
from handlers.diffusion.noise import SeededNoise
from tests.handlers.diffusion import tiny
from tests.handlers.diffusion.counting import counted

PLAN = Plan(1, 96, 64, steps=3, guidance_scale=2.0, strength=1.0)


@dataclass(frozen=True)
class Wish:
    seed: int
    steps: int
    guidance: float
    strength: float
    sampler: str
    rows: int
    joins_at: int
    guidance_from: float = 0.0
    guidance_until: float = 1.0
    step_cache: int = 1

    @property
    def plan(self) -> Plan:
        return replace(
            PLAN,
            rows=self.rows,
            steps=self.steps,
            guidance_scale=self.guidance,
            strength=self.strength,
            sampler=self.sampler,
            guidance_from=self.guidance_from,
            guidance_until=self.guidance_until,
            step_cache=self.step_cache,
        )


wishes = st.builds(
    Wish,
    seed=st.integers(0, 2**32),
    steps=st.integers(2, 5),
    guidance=st.sampled_from([1.0, 2.0, 5.0]),
    strength=st.sampled_from([0.6, 1.0]),
    sampler=st.sampled_from(sampling.SAMPLERS),
    rows=st.integers(1, 2),
    joins_at=st.integers(0, 4),
    guidance_from=st.sampled_from([0.0, 0.0, 0.3]),
    guidance_until=st.sampled_from([0.5, 1.0, 1.0]),
    step_cache=st.sampled_from([1, 1, 2, 3]),
)


def walk(wish: Wish) -> Walk:
    nets, case = tiny.networks(), tiny.case("app_b1_nocfg")
    noise = SeededNoise(range(wish.seed, wish.seed + wish.rows))
    run = denoising.prepare(nets, case.person(nets), case.garment(nets), wish.plan, noise)
    return Walk.begin(run, noise)


@cache
def alone(wish: Wish) -> Tensor:
    nets, mine = tiny.networks(), walk(wish)
    return mixing.denoise(nets, mine.run, mine.noise, lambda _step: None)


@settings(max_examples=25, deadline=None)
@given(st.lists(wishes, min_size=2, max_size=5, unique_by=lambda wish: wish.seed))
@torch.inference_mode()
def test_a_run_is_the_same_in_any_company(chosen: Sequence[Wish]) -> None:
    nets = tiny.networks()
    walks = {wish: walk(wish) for wish in chosen}
    for turn in range(10):
        stepping = [one for wish, one in walks.items() if wish.joins_at <= turn and one.steps_left]
        if stepping:
            advance(nets, stepping)
    for wish, one in walks.items():
        assert one.steps_left == 0
        assert tiny.relative(one.now, alone(wish)) < 1e-5


@torch.inference_mode()
def test_a_step_that_fails_has_moved_nobody() -> None:
    nets = tiny.networks()
    wish = Wish(7, 3, 2.0, 1.0, "ddpm", 1, 0)
    expected, mine = alone(wish), walk(wish)

    def fail(*_arguments: object) -> None:
        raise torch.OutOfMemoryError("planted")

    advance(nets, [mine])
    hook = nets.tryon.conv_out.register_forward_hook(fail)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            advance(nets, [mine])
    finally:
        hook.remove()
    assert mine.steps_left == 2
    while mine.steps_left:
        advance(nets, [mine])
    assert torch.equal(mine.now, expected) or tiny.relative(mine.now, expected) < 1e-6


@torch.inference_mode()
def test_latents_of_two_sizes_do_not_step_together() -> None:
    mine, other = walk(Wish(1, 3, 2.0, 1.0, "ddpm", 1, 0)), walk(Wish(2, 3, 2.0, 1.0, "ddpm", 1, 0))
    other.now = other.now[..., :4]
    with pytest.raises(ValueError, match="only latents of one size"):
        advance(tiny.networks(), [mine, other])


@torch.inference_mode()
def test_what_is_no_number_is_noticed() -> None:
    mine = walk(Wish(1, 3, 2.0, 1.0, "ddpm", 1, 0))
    assert mine.is_sound
    mine.now = mine.now.clone()
    mine.now[0, 0, 0, 0] = torch.nan
    other = walk(Wish(2, 3, 2.0, 1.0, "ddpm", 1, 0))
    assert are_sound([other, mine]) == [True, False]
    assert are_sound([]) == []
    assert not mine.is_sound


def taken(**options: Any) -> tuple[list[int], Tensor]:  # noqa: ANN401  any option
    """Take six steps; give how often the deep layers, the last block's rows and the garment ran."""
    nets, mine = tiny.networks(), walk(replace(WISH, **options))
    rows = list[int]()
    hook = nets.tryon.conv_in.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        with counted(nets.tryon.mid_block, nets.garment.mid_block) as calls:
            while mine.steps_left:
                advance(nets, [mine])
    finally:
        hook.remove()
    return [*calls, *rows], mine.now


WISH = Wish(11, 6, 2.0, 1.0, "dpmpp_2m", 1, 0)


@torch.inference_mode()
def test_every_step_is_whole_unless_it_is_asked_otherwise() -> None:
    assert taken()[0] == [6, 6, 2, 2, 2, 2, 2, 2]


@torch.inference_mode()
def test_a_step_without_guidance_has_no_unconditional_row() -> None:
    assert taken(guidance_from=0.3, guidance_until=0.7)[0] == [6, 6, 1, 1, 2, 2, 2, 1]


@torch.inference_mode()
def test_between_two_steps_the_deep_layers_and_the_garment_rest() -> None:
    ran, painted = taken(step_cache=3)
    assert ran == [2, 2, 2, 2, 2, 2, 2, 2]
    assert 0 < tiny.relative(painted, taken()[1]) < 0.5


@torch.inference_mode()
def test_where_guidance_begins_the_deep_layers_run_for_its_rows() -> None:
    ran, _ = taken(step_cache=4, guidance_from=0.3)
    assert ran == [3, 3, 1, 1, 2, 2, 2, 2]


@torch.inference_mode()
def test_an_interval_of_everything_is_no_approximation() -> None:
    assert torch.equal(taken(guidance_from=0.0, guidance_until=1.0)[1], taken()[1])
