"""New people: the pipeline of diffusers itself is the oracle."""

import threading
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
from numpy.typing import NDArray

from handlers.diffusion import latents
from handlers.diffusion.bodies import Painter, Seat
from handlers.diffusion.sdxl_walks import Plan, Room
from handlers.diffusion.visits import Visits
from tests.handlers.diffusion import tiny, tiny_sdxl
from tests.patience import PATIENCE_S

PLAN = Plan(height_px=96, width_px=64, steps=5, guidance_scale=5.0, solver="dpmpp_2m")
WORDS = ("one adult", "a child")
SCHEDULERS = {"euler": EulerDiscreteScheduler, "dpmpp_2m": DPMSolverMultistepScheduler}


def stepped(painter: Painter, seats: Sequence[Seat]) -> None:
    """Take all steps of seats that have as many left."""
    while seats[0].steps_left:
        painter.advance(seats)


def seats(painter: Painter, seeds: Sequence[int], plan: Plan = PLAN) -> list[Seat]:
    return list(painter.seats(painter.words(*WORDS), plan, seeds, at_once=10))


def painted(painter: Painter, seeds: Sequence[int]) -> list[NDArray[np.uint8]]:
    pictures = []
    for seat in seats(painter, seeds):
        stepped(painter, [seat])
        pictures += painter.developed(seat)
    return pictures


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
    painter = Painter(tiny_sdxl.networks(), Room(3))
    (seat,) = seats(painter, seeds, plan)
    stepped(painter, [seat])
    # Theirs keeps the variance at 1 along the way; at the end there is no noise either way.
    assert tiny.relative(seat.walk.now, theirs(seeds, plan, "latent")) < 1e-5


def test_pictures_are_those_of_diffusers_own_pipeline() -> None:
    mine = painted(Painter(tiny_sdxl.networks(), Room(4)), [7, 8])
    expected = np.round(theirs([7, 8], PLAN, "np") * 255)
    assert np.abs(np.stack(mine) - expected).max() <= 1


@pytest.mark.parametrize(
    ("count", "room", "at_once", "sizes"),
    [
        (1, 4, 10, [1]),
        (5, 2, 10, [2, 2, 1]),
        (4, 4, 10, [4]),
        (10, 4, 10, [4, 4, 2]),
        (3, 4, 1, [1, 1, 1]),
    ],
)
def test_pictures_that_do_not_fit_at_once_have_seats_one_after_the_other(
    count: int, room: int, at_once: int, sizes: list[int]
) -> None:
    painter, told = Painter(tiny_sdxl.networks(), Room(room)), list[tuple[int, int]]()
    plan, found = replace(PLAN, steps=2), list[int]()
    for seat in painter.seats(painter.words(*WORDS), plan, range(count), at_once):
        found.append(seat.rows)
        assert seat.steps_left == 2
        while seat.steps_left:
            painter.advance([seat])
            told.append(seat.progress)
    assert found == sizes
    assert told == sorted(set(told))
    assert told[-1][0] == told[-1][1] == (2 if len(sizes) == 1 else 2 * count)


@pytest.mark.prop(16)
def test_a_picture_is_that_of_its_seed_in_whatever_seat() -> None:
    pictures = painted(Painter(tiny_sdxl.networks(), Room(2)), range(3))
    assert len({picture.tobytes() for picture in pictures}) == 3
    (alone,) = painted(Painter(tiny_sdxl.networks(), Room(1)), [2])
    assert np.abs(alone.astype(int) - pictures[2]).max() <= 1


def test_a_preview_shows_what_is_under_the_noise() -> None:
    painter = Painter(tiny_sdxl.networks(), Room(2))
    seat, other = seats(painter, [1, 2])[0], seats(painter, [1])[0]
    for one in (seat, other):
        painter.advance([one])
    shown = seat.preview()
    assert shown.shape == (12, 8, 3)
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - other.preview()).max() <= 1
    assert np.array_equal(shown, latents.preview_rgb(seat.walk.clean)[0])


@pytest.mark.parametrize("beside", [True, False])
def test_where_both_do_not_fit_nobody_steps_while_pictures_are_decoded(*, beside: bool) -> None:
    nets = tiny_sdxl.networks()
    painter, stepping = Painter(nets, Room(1, beside=beside)), threading.Event()
    done, one = seats(painter, [1])[0], seats(painter, [2])[0]
    stepped(painter, [done])
    met: list[bool] = []

    def step() -> None:
        stepping.set()
        painter.advance([one])

    def decoding(*_given: object) -> None:
        thread.start()
        stepping.wait(PATIENCE_S)
        thread.join(PATIENCE_S if beside else 0.05)
        met.append(not thread.is_alive())

    thread = threading.Thread(target=step)
    hook = nets.vae.decoder.register_forward_pre_hook(decoding)
    try:
        painter.developed(done)
    finally:
        hook.remove()
    thread.join(PATIENCE_S)
    assert (met, one.walk.index) == ([beside], 1)


def test_a_network_that_visits_does_not_step_with_others() -> None:
    nets = tiny_sdxl.fresh_networks()
    assert Painter(nets, Room(1)).steps_with_others
    visits = Visits(guests=[nets.unet])
    guest = Painter(replace(nets, visits=visits), Room(1))
    assert not guest.steps_with_others
    with guest.at_work():
        assert nets.unet in visits._present
    assert nets.unet not in visits._present


def test_a_seat_whose_numbers_break_is_not_sound() -> None:
    painter = Painter(tiny_sdxl.networks(), Room(1))
    (seat,) = seats(painter, [1])
    assert seat.is_sound
    seat.walk.now = torch.full_like(seat.walk.now, torch.nan)
    assert not seat.is_sound
