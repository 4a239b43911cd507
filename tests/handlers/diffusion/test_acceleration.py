"""The exact fast paths paint the same picture."""

import logging
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from handlers.diffusion import compiling
from handlers.diffusion.acceleration import applied
from handlers.diffusion.attention import transformer_blocks
from handlers.diffusion.loading import Networks
from handlers.diffusion.mixing import advance
from handlers.diffusion.settings import Speed
from handlers.diffusion.visits import Visits
from tests.handlers.diffusion import tiny
from tests.handlers.diffusion.test_mixing import Wish, alone, walk

# torch's own compiler uses what torch calls old.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")

NONE = Speed(channels_last=False, compiled=False, fused_qkv=False, cuda_graphs=0)
WISHES = (Wish(1, 3, 2.0, 1.0, "ddpm", 1, 0), Wish(2, 3, 1.0, 1.0, "dpmpp_2m", 2, 0))


def stepped(nets: Networks) -> list[Tensor]:
    walks = [walk(wish) for wish in WISHES]
    while walks[0].steps_left:
        advance(nets, walks)
    return [one.now for one in walks]


def assert_same_pictures(nets: Networks) -> None:
    for wish, mine in zip(WISHES, stepped(nets), strict=True):
        assert tiny.relative(mine, alone(wish)) < 1e-5


@pytest.mark.parametrize("wish", [{"channels_last": True}, {"fused_qkv": True}])
@torch.inference_mode()
def test_a_fast_path_paints_the_same(wish: dict[str, Any]) -> None:
    nets, done = applied(tiny.fresh_networks(), replace(NONE, **wish), int8=False)
    assert done == tuple(wish)
    assert_same_pictures(nets)


@pytest.mark.slow
@torch.inference_mode()
def test_compiled_and_all_together_paint_the_same() -> None:
    wish = Speed(channels_last=True, compiled=True, fused_qkv=True, cuda_graphs=0)
    nets, done = applied(tiny.fresh_networks(), wish, int8=False)
    assert done == ("channels_last", "fused_qkv", "compiled")
    assert_same_pictures(nets)


@torch.inference_mode()
def test_blocks_that_cannot_be_compiled_run_as_they_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nets = tiny.fresh_networks()
    for unet in (nets.tryon, nets.garment):
        compiling.compile_blocks(unet)
        for block in transformer_blocks(unet):
            block.forward.compiled = torch.compile(block.forward.plain, backend=no_compiler)
    with caplog.at_level(logging.WARNING):
        assert_same_pictures(nets)
    told = [one.getMessage() for one in caplog.records if "run uncompiled" in one.getMessage()]
    assert len(told) == 2  # once for each network


def no_compiler(*_graph: object) -> Any:  # noqa: ANN401  what a backend gives
    raise RuntimeError("there is no compiler here")


def test_what_cannot_be_had_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    nets = tiny.fresh_networks()
    caplog.clear()
    away = replace(nets, visits=Visits(nets.device, [nets.tryon]))
    wish = Speed(channels_last=True, compiled=True, fused_qkv=True, cuda_graphs=4)
    with caplog.at_level(logging.WARNING):
        assert applied(away, wish, int8=False) == (away, ())
        kept, done = applied(nets, replace(NONE, fused_qkv=True, cuda_graphs=4), int8=True)
    assert (kept.replays, done) == (None, ())
    assert [one.getMessage().split(":")[0].rpartition(".")[2] for one in caplog.records] == [
        *("channels_last", "fused_qkv", "compiled", "cuda_graphs"),
        *("fused_qkv", "cuda_graphs"),
    ]
