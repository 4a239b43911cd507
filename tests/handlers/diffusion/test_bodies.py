"""New people: the pipeline of diffusers itself is the oracle."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from handlers.diffusion import bodies
from handlers.diffusion.bodies import Painter, Plan, Room
from handlers.diffusion.latents import decode
from handlers.diffusion.loading import SdxlNetworks
from tests.handlers.diffusion import tiny, tiny_sdxl
from tests.handlers.diffusion.test_devices import ELSEWHERE, move

PLAN = Plan(height_px=96, width_px=64, steps=5, guidance_scale=5.0, solver="dpmpp_2m")
WORDS = ("one adult", "a child")
SCHEDULERS = {"euler": EulerDiscreteScheduler, "dpmpp_2m": DPMSolverMultistepScheduler}


def painter(at_once: int = 4) -> Painter:
    return Painter(tiny_sdxl.networks(), Room(at_once))


def drawn(
    nets: SdxlNetworks, plan: Plan, seeds: Sequence[int], words: Sequence[str] = WORDS, **how: bool
) -> Tensor:
    told = Painter(nets, Room(1)).words(*words)
    predict = bodies.prediction(nets, told, plan, **how)
    return bodies.draw(nets, predict, plan, seeds, lambda: None)


@torch.inference_mode()
def latents(seeds: Sequence[int], plan: Plan = PLAN) -> Tensor:
    return drawn(tiny_sdxl.networks(), plan, seeds)


@cache
def pipeline() -> StableDiffusionXLPipeline:
    """Build diffusers' own of the same networks."""
    nets = tiny_sdxl.networks()
    made = StableDiffusionXLPipeline(
        vae=nets.vae,
        unet=nets.unet,
        text_encoder=nets.text_encoders[0],
        text_encoder_2=nets.text_encoders[1],
        tokenizer=nets.tokenizers[0],
        tokenizer_2=nets.tokenizers[1],
        scheduler=EulerDiscreteScheduler.from_config(tiny_sdxl.SCHEDULER),
        add_watermarker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def theirs(seeds: Sequence[int], plan: Plan, output: str) -> Any:  # noqa: ANN401  as asked
    made = pipeline()
    made.scheduler = SCHEDULERS[plan.solver].from_config(tiny_sdxl.SCHEDULER)
    return made(
        [WORDS[0]] * len(seeds),
        negative_prompt=[WORDS[1]] * len(seeds),
        height=plan.height_px,
        width=plan.width_px,
        num_inference_steps=plan.steps,
        guidance_scale=plan.guidance_scale,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        output_type=output,
    ).images


@settings(max_examples=15, deadline=None)
@given(
    solver=st.sampled_from(["euler", "dpmpp_2m"]),
    steps=st.integers(1, 8),
    guidance_scale=st.floats(1.5, 9.0),
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3),
    sides=st.tuples(*[st.integers(4, 8).map(lambda n: n * 16)] * 2),
)
def test_latents_are_those_of_diffusers_own_pipeline(
    solver: str, steps: int, guidance_scale: float, seeds: list[int], sides: tuple[int, int]
) -> None:
    plan = Plan(*sides, steps, guidance_scale, solver)
    # Theirs keeps the variance at 1 along the way; at the end there is no noise either way.
    assert tiny.relative(latents(seeds, plan), theirs(seeds, plan, "latent")) < 1e-5


def test_pictures_are_those_of_diffusers_own_pipeline() -> None:
    mine = painter().paint(painter().words(*WORDS), PLAN, [7, 8], lambda *_: None)
    expected = np.round(theirs([7, 8], PLAN, "np") * 255)
    assert np.abs(np.stack(mine) - expected).max() <= 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 10), solver=st.sampled_from(["euler", "dpmpp_2m"]))
def test_a_seed_gives_the_same_picture_alone_and_in_company(seed: int, solver: str) -> None:
    plan = replace(PLAN, solver=solver)
    together = latents([seed, seed + 1, seed + 2], plan)
    for index in range(3):
        assert tiny.relative(latents([seed + index], plan)[0], together[index]) < 1e-5
    assert not torch.allclose(together[0], together[1], atol=0.1)


@pytest.mark.parametrize(("count", "at_once", "runs"), [(1, 4, 1), (5, 2, 3), (4, 4, 1)])
def test_no_more_pictures_at_once_than_allowed_and_every_step_told(
    count: int, at_once: int, runs: int
) -> None:
    told: list[tuple[int, int]] = []
    rows: list[int] = []
    unet = tiny_sdxl.networks().unet
    hook = unet.register_forward_pre_hook(lambda _module, given: rows.append(len(given[0])))
    one = painter(at_once)
    seeds = list(range(count))
    pictures = one.paint(one.words(*WORDS), PLAN, seeds, lambda *step: told.append(step))
    hook.remove()
    assert len(pictures) == count
    assert len({picture.tobytes() for picture in pictures}) == count
    assert max(rows) <= 2 * at_once
    assert told == [(step, runs * 5) for step in range(1, runs * 5 + 1)]


def test_what_a_listener_raises_ends_the_run() -> None:
    heard: list[int] = []

    def listen(step: int, _of: int) -> None:
        heard.append(step)
        if step == 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        painter().paint(painter().words(*WORDS), PLAN, [1], listen)
    assert heard == [1, 2]


@torch.inference_mode()
def test_what_is_not_wished_has_its_say() -> None:
    without = drawn(tiny_sdxl.networks(), PLAN, [1], (WORDS[0], "blurry"))
    assert tiny.relative(without, latents([1])) > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("solver", SCHEDULERS)
@torch.inference_mode()
def test_a_whole_run_stays_on_its_device(dtype: torch.dtype, solver: str) -> None:
    here = tiny_sdxl.fresh_networks()
    for module in (here.unet, *here.text_encoders):
        move(module, dtype)
    move(here.vae, torch.float32)
    nets = replace(here, device=ELSEWHERE, dtype=dtype)
    found = drawn(nets, replace(PLAN, solver=solver), [1, 2])
    assert (found.device, found.dtype) == (ELSEWHERE, torch.float32)
    assert decode(nets, found).device == ELSEWHERE


@torch.inference_mode()
def test_both_sides_of_guidance_may_go_through_the_network_apart() -> None:
    nets, rows = tiny_sdxl.networks(), list[int]()
    hook = nets.unet.register_forward_pre_hook(lambda _module, given: rows.append(len(given[0])))
    apart = drawn(nets, PLAN, [5], apart=True)
    hook.remove()
    assert rows == [1] * 2 * PLAN.steps
    assert tiny.relative(apart, latents([5])) < 1e-5
