from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.gpu.upstream import WholeReference
from benchmarks.parity.runs import RecordedNoise
from handlers.diffusion import denoising, mixing
from handlers.diffusion.attention import transformer_blocks
from handlers.diffusion.denoising import Plan, Run
from handlers.diffusion.loading import Networks
from handlers.diffusion.noise import SeededNoise
from tests.handlers.diffusion import tiny

TOLERANCE = 1e-4
BITES = 30 * TOLERANCE
Mutation = Callable[[Networks, Run], Run]


def as_it_is(_nets: Networks, run: Run) -> Run:
    return run


def without_zero_features(nets: Networks, run: Run) -> Run:
    for layer, block in enumerate(transformer_blocks(nets.tryon)):
        block.attn1.set_processor(WholeReference(layer, zeros=False))
    return run


def middle_last(nets: Networks, run: Run) -> Run:
    """Number the blocks as `attn_processors` lists them: down, up, middle."""
    blocks = list(transformer_blocks(nets.tryon))
    middle = {
        id(block) for at in nets.tryon.mid_block.attentions for block in at.transformer_blocks
    }
    widths = {id(block): block.attn1.to_q.in_features for block in blocks}
    order = sorted(range(len(blocks)), key=lambda one: id(blocks[one]) in middle)
    alike = [one for one in order if widths[id(blocks[one])] == max(widths.values())]
    for layer, index in zip(sorted(alike), alike, strict=True):
        blocks[index].attn1.processor.layer = layer
    return run


def masked_person_first(_nets: Networks, run: Run) -> Run:
    order = [1, 2, 3, 4, 0, 5, 6, 7, 8]
    return replace(run, fixed=run.fixed[:, order])


def densepose_first(_nets: Networks, run: Run) -> Run:
    order = [0, 5, 6, 7, 8, 1, 2, 3, 4]
    return replace(run, fixed=run.fixed[:, order])


def positive_first(_nets: Networks, run: Run) -> Run:
    negative, positive = run.text_embeds.chunk(2)
    return replace(run, text_embeds=torch.cat([positive, negative]))


@torch.inference_mode()
def distance(mutate: Mutation) -> float:
    """How far the golden's last latents are from ours, when `mutate` has had its way."""
    nets, case = tiny.fresh_networks(), tiny.case("app_b1_ddpm")
    noise = RecordedNoise(case.golden)
    view = case.garment(nets)
    run = denoising.prepare(nets, case.person(nets), view, case.plan(), noise)
    ours = mixing.denoise(nets, mutate(nets, run), noise, lambda _step: None)
    return tiny.relative(ours, case.golden["latents_after_step"][-1])


def test_the_golden_s_latents_come_out() -> None:
    assert distance(as_it_is) < TOLERANCE


@pytest.mark.parametrize(
    "mutate",
    [
        without_zero_features,
        middle_last,
        masked_person_first,
        densepose_first,
        positive_first,
    ],
)
def test_a_typical_mistake_shows(mutate: Mutation) -> None:
    assert distance(mutate) > BITES


def painted(plan: Plan, seeds: list[int], poses: list[int] | None = None) -> Tensor:
    nets, case = tiny.networks(), tiny.case("app_b1_nocfg")
    noise = SeededNoise(seeds, poses)
    with torch.inference_mode():
        run = denoising.prepare(nets, case.person(nets), case.garment(nets), plan, noise)
        return mixing.denoise(nets, run, noise, lambda _step: None)


PLAN = Plan(1, 96, 64, steps=3, guidance_scale=2.0, strength=1.0)


@settings(max_examples=8, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=4),
    guidance=st.sampled_from([1.0, 2.0, 7.5]),
    strength=st.sampled_from([0.4, 1.0]),
)
def test_a_picture_is_the_same_alone_and_in_company(
    seeds: list[int], guidance: float, strength: float
) -> None:
    plan = replace(PLAN, guidance_scale=guidance, strength=strength)
    together = painted(replace(plan, rows=len(seeds)), seeds)
    for row, seed in enumerate(seeds):
        assert tiny.relative(painted(plan, [seed])[0], together[row]) < 1e-5


def test_seeds_give_the_original_s_numbers() -> None:
    case = tiny.case("app_b1_nocfg")
    poses = [case.told["global_seed_for_pose_encoding"]]
    ours = painted(case.plan(), [case.told["generator_seed"]], poses)
    assert tiny.relative(ours, case.golden["latents_after_step"][-1]) < TOLERANCE


def test_what_ran_before_changes_nothing() -> None:
    first = painted(PLAN, [5])
    torch.manual_seed(99)
    assert torch.equal(painted(PLAN, [5]), first)
    assert not torch.equal(painted(PLAN, [6]), first)


def test_a_low_strength_stays_near_the_photo() -> None:
    nets, case = tiny.networks(), tiny.case("app_b1_nocfg")
    with torch.inference_mode():
        seen = case.person(nets).picture
    assert seen is not None
    photo = seen.mean * nets.vae.config.scaling_factor
    steps = replace(PLAN, steps=20, guidance_scale=1.0)
    apart = [
        float((painted(replace(steps, strength=strength), [1]) - photo).norm())
        for strength in (0.1, 1.0)
    ]
    assert apart[0] < apart[1]


def test_every_step_is_told_and_may_end_the_run() -> None:
    nets, case = tiny.networks(), tiny.case("app_b1_nocfg")
    noise, heard = SeededNoise([1]), []

    def on_step(step: denoising.Step) -> None:
        heard.append((step.index, step.of))
        if step.index == 1:
            raise KeyboardInterrupt

    with torch.inference_mode():
        run = denoising.prepare(nets, case.person(nets), case.garment(nets), PLAN, noise)
        with pytest.raises(KeyboardInterrupt):
            mixing.denoise(nets, run, noise, on_step)
    assert heard == [(0, 3), (1, 3)]


def test_the_views_know_their_size() -> None:
    nets, case = tiny.networks(), tiny.case("app_b1_nocfg")
    with torch.inference_mode():
        person, garment = case.person(nets), case.garment(nets)
    latents_bytes = int(np.prod(person.masked.mean.shape)) * 4
    assert person.nbytes > 6 * latents_bytes
    assert garment.nbytes > 2 * latents_bytes
