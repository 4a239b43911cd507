"""What a worker remembers of people and garments."""

import gc

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from handlers.diffusion.denoising import Plan
from handlers.diffusion.features_store import Budgets, FeatureStore
from handlers.diffusion.settings import Caches
from handlers.diffusion.studio import Seeds, Studio
from tests.handlers.diffusion import tiny
from tests.handlers.diffusion.counting import counted

PLAN = Plan(1, 96, 64, steps=2, guidance_scale=2.0, strength=1.0)
Rgb = NDArray[np.uint8]


def rgb(seed: int) -> Rgb:
    return np.random.default_rng(seed).integers(0, 256, (96, 64, 3), np.uint8)


def caches(room_bytes: int) -> Caches:
    rooms, hour_s = (room_bytes, room_bytes), 3600.0
    return Caches(*rooms, hour_s, room_bytes, 0, 0.0, 0, 0.0, 0, "", "all", 0.0)


def studio(room_bytes: int = 10**7) -> Studio:
    return Studio(tiny.networks(), caches(room_bytes))


def mask() -> Rgb:
    white = np.zeros((96, 64), np.uint8)
    white[20:60, 10:50] = 255
    return white


def paint(of: Studio, person: int = 1, garment: int = 2, plan: Plan = PLAN, seed: int = 3) -> Rgb:
    seen, _ = of.person(rgb(person), mask(), rgb(9), whole=False)
    worn, _ = of.garment(rgb(garment), "a shirt")
    seeds = Seeds(range(seed, seed + plan.rows))
    return of.paint(seen, worn, plan, seeds, lambda _step: None)


@pytest.mark.prop(17)
def test_a_person_and_a_garment_are_seen_once() -> None:
    mine, nets = studio(), tiny.networks()
    first = paint(mine)
    with counted(nets.vae.encoder, nets.image_encoder, *nets.text_encoders) as calls:
        again = paint(mine)
    assert calls == [0, 0, 0, 0]
    assert np.array_equal(first, again)
    assert (mine.persons.counters().hits, mine.garments.counters().hits) == (1, 1)


@pytest.mark.prop(17)
def test_another_garment_leaves_the_person_known() -> None:
    mine, nets = studio(), tiny.networks()
    paint(mine)
    with counted(nets.vae.encoder, nets.image_encoder) as calls:
        paint(mine, garment=5)
    assert calls == [1, 1]
    assert mine.persons.counters().hits == 1


@pytest.mark.prop(17)
def test_what_is_the_same_for_every_garment_is_encoded_once() -> None:
    mine, nets = studio(), tiny.networks()
    with counted(nets.image_encoder, *nets.text_encoders) as calls:
        mine.garment(rgb(2), "a shirt")
        assert calls == [2, 3, 3]  # picture and nothing; two prompts and the negative one
        mine.garment(rgb(3), "a shirt")
        assert calls == [3, 3, 3]
        mine.garment(rgb(3), "a coat")
        assert calls == [4, 5, 5]


@pytest.mark.prop(17)
def test_the_seed_does_not_change_what_is_seen_of_a_garment() -> None:
    mine = Studio(tiny.networks(), caches(10**7), features=FeatureStore(Budgets(0, 10**8)))
    first = paint(mine, seed=3)
    with counted(tiny.networks().garment.conv_in) as calls:
        other = paint(mine, seed=4)
    assert calls == [0]
    assert not np.array_equal(first, other)


def test_other_words_are_another_garment() -> None:
    mine = studio()
    assert mine.garment(rgb(2), "a shirt")[1] is False
    assert mine.garment(rgb(2), "a red shirt")[1] is False
    assert mine.garment(rgb(2), "a shirt")[1] is True


def test_another_mask_is_another_person() -> None:
    mine = studio()
    assert mine.person(rgb(1), mask(), rgb(9), whole=False)[1] is False
    assert mine.person(rgb(1), mask()[::-1], rgb(9), whole=False)[1] is False


@pytest.mark.prop(16)
def test_samples_are_the_pictures_of_their_seeds() -> None:
    mine = studio()
    together = paint(mine, plan=Plan(3, 96, 64, 2, 2.0, 1.0), seed=7)
    assert together.shape == (3, 96, 64, 3)
    for index in range(3):
        alone = paint(mine, seed=7 + index)[0]
        assert np.abs(alone.astype(int) - together[index]).max() <= 1


@pytest.mark.prop(24)
def test_nothing_is_held_that_no_cache_holds() -> None:
    mine = studio(room_bytes=0)
    paint(mine)
    assert mine.persons.counters().held_bytes == 0
    tensors = _living_tensors()
    paint(mine)
    assert _living_tensors() <= tensors


def _living_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())
