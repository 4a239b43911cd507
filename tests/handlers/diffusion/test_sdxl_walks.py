"""Random mixes on the tiny SDXL: each run is what it would be alone, whoever steps beside it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from handlers.diffusion import conditioning
from handlers.diffusion.conditioning import Text
from handlers.diffusion.latents import decode
from handlers.diffusion.loading import SdxlNetworks
from handlers.diffusion.sdxl_walks import Plan, Room, Walk, advance
from handlers.diffusion.solvers import SOLVERS
from tests.handlers.diffusion import tiny, tiny_sdxl
from tests.handlers.diffusion.test_devices import ELSEWHERE, move

PLAN = Plan(height_px=96, width_px=64, steps=5, guidance_scale=5.0, solver="dpmpp_2m")
UNWISHED = "a child"
WIDE = Room(at_once=10)


@dataclass(frozen=True)
class Wish:
    """What somebody asks for, and when they come."""

    seed: int
    steps: int = 3
    guidance_scale: float = 5.0
    solver: str = "dpmpp_2m"
    pictures: int = 1
    wished: str = "one adult"
    joins_at: int = 0

    @property
    def plan(self) -> Plan:
        told = {name: getattr(self, name) for name in ("steps", "guidance_scale", "solver")}
        return replace(PLAN, **told)


wishes = st.builds(
    Wish,
    seed=st.integers(0, 2**32),
    steps=st.integers(1, 5),
    guidance_scale=st.floats(1.5, 9.0),
    solver=st.sampled_from(sorted(SOLVERS)),
    pictures=st.integers(1, 2),
    wished=st.sampled_from(["one adult", "somebody else"]),
    joins_at=st.integers(0, 3),
)
rooms = st.builds(Room, at_once=st.integers(1, 6), apart=st.booleans())


@cache
def words(wished: str) -> Text:
    return conditioning.encode_text(tiny_sdxl.networks(), [UNWISHED, wished])


def walk(wish: Wish) -> Walk:
    seeds = range(wish.seed, wish.seed + wish.pictures)
    return Walk.begin(tiny_sdxl.networks(), words(wish.wished), wish.plan, seeds)


def walked(one: Walk, nets: SdxlNetworks | None = None, room: Room = WIDE) -> Walk:
    """Take all steps that are left, alone."""
    while one.steps_left:
        advance(nets or tiny_sdxl.networks(), [one], room)
    return one


@cache
def alone(wish: Wish) -> Tensor:
    return walked(walk(wish)).now


@contextmanager
def before_each_pass(heard: Callable[[int], None]) -> Iterator[None]:
    """Hear of the rows of every pass of the network."""
    unet = tiny_sdxl.networks().unet
    hook = unet.register_forward_pre_hook(lambda _module, shown: heard(len(shown[0])))
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.slow
@pytest.mark.prop(23)
@settings(max_examples=100, deadline=None)
@given(st.lists(wishes, min_size=2, max_size=4, unique_by=lambda wish: wish.seed), rooms)
@torch.inference_mode()
def test_a_run_is_the_same_in_any_company(chosen: Sequence[Wish], room: Room) -> None:
    walks = {wish: walk(wish) for wish in chosen}
    for turn in range(8):
        stepping = [one for wish, one in walks.items() if wish.joins_at <= turn and one.steps_left]
        if stepping:
            advance(tiny_sdxl.networks(), stepping, room)
    for wish, one in walks.items():
        assert one.steps_left == 0
        assert tiny.relative(one.now, alone(wish)) < 1e-5


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=4), room=rooms)
@torch.inference_mode()
def test_a_pass_never_holds_more_than_there_is_room_for(counts: list[int], room: Room) -> None:
    rows: list[int] = []
    walks = [walk(Wish(seed, pictures=count)) for seed, count in enumerate(counts)]
    with before_each_pass(rows.append):
        advance(tiny_sdxl.networks(), walks, room)
    assert sum(rows) == 2 * sum(counts)
    assert max(rows) <= room.at_once * (1 if room.apart else 2)
    needed = -(-sum(counts) // room.at_once)
    assert len(rows) == needed * (2 if room.apart else 1)


@pytest.mark.parametrize("passes", range(3))
@torch.inference_mode()
def test_a_step_that_fails_has_moved_nobody(passes: int) -> None:
    several = [Wish(7), Wish(8, steps=4, solver="euler"), Wish(9)]
    walks, room, left = [walk(wish) for wish in several], Room(at_once=1), [passes]
    nets = tiny_sdxl.networks()
    advance(nets, walks, room)

    def fail_after(_rows: int) -> None:
        if not left[0]:
            raise torch.OutOfMemoryError("planted")
        left[0] -= 1

    with before_each_pass(fail_after), pytest.raises(torch.OutOfMemoryError):
        advance(nets, walks, room)
    assert [one.steps_left for one in walks] == [2, 3, 2]
    for wish, one in zip(several, walks, strict=True):
        assert tiny.relative(walked(one).now, alone(wish)) < 1e-5


@torch.inference_mode()
def test_one_whose_numbers_break_spoils_nobody_else() -> None:
    good, bad = walk(Wish(1)), walk(Wish(2))
    bad.now[0, 0, 0, 0] = torch.nan
    while good.steps_left:
        advance(tiny_sdxl.networks(), [bad, good], WIDE)
    assert (good.is_sound, bad.is_sound) == (True, False)
    assert tiny.relative(good.now, alone(Wish(1))) < 1e-5


@torch.inference_mode()
def test_pictures_of_two_sizes_do_not_step_together() -> None:
    nets = tiny_sdxl.networks()
    other = Walk.begin(nets, words("one adult"), replace(PLAN, width_px=96), [2])
    with pytest.raises(ValueError, match="only latents of one size"):
        advance(nets, [walk(Wish(1)), other], WIDE)


@torch.inference_mode()
def test_what_is_not_wished_has_its_say() -> None:
    nets, wish = tiny_sdxl.networks(), Wish(1)
    told = conditioning.encode_text(nets, ["blurry", wish.wished])
    other = walked(Walk.begin(nets, told, wish.plan, [1]))
    assert tiny.relative(other.now, alone(wish)) > 1e-3


@torch.inference_mode()
def test_what_was_taken_for_clean_ends_as_the_picture() -> None:
    one = walk(Wish(3))
    assert not one.clean.any()
    assert torch.equal(walked(one).clean, one.now)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("solver", SOLVERS)
@torch.inference_mode()
def test_a_whole_run_stays_on_its_device(dtype: torch.dtype, solver: str) -> None:
    here = tiny_sdxl.fresh_networks()
    for module in (here.unet, *here.text_encoders):
        move(module, dtype)
    move(here.vae, torch.float32)
    nets = replace(here, device=ELSEWHERE, dtype=dtype)
    told = conditioning.encode_text(nets, [UNWISHED, "one adult"])
    found = walked(Walk.begin(nets, told, replace(PLAN, solver=solver), [1, 2]), nets).now
    assert (found.device, found.dtype) == (ELSEWHERE, torch.float32)
    assert decode(nets, found).device == ELSEWHERE
