"""How the denoisers are run: as diffusers runs them, and with less."""

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.gpu.sizes import TINY
from handlers.diffusion import networks
from handlers.diffusion.attention import Reference, prompt_keys
from handlers.diffusion.networks import Predicted
from tests.handlers.diffusion import tiny
from tests.handlers.diffusion.counting import counted

HEIGHT, WIDTH = 13, 10  # of which neither halves twice without a rest


def normal(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def asked(timestep: int = 901) -> tuple[Any, ...]:
    nets = tiny.networks()
    width = nets.tryon.config.cross_attention_dim
    times = torch.tensor([timestep])
    garment = networks.look_at_garment(
        nets.garment, normal(1, 4, HEIGHT, WIDTH), times, normal(1, 77, width)
    )
    keys = prompt_keys(nets.tryon, normal(2, 77, width), normal(2, 16, width))
    ids = torch.tensor([[96.0, 80.0, 0.0, 0.0, 96.0, 80.0]] * 2)
    sample, embeds = normal(2, 13, HEIGHT, WIDTH), normal(2, 16)
    return nets.tryon, sample, times.expand(2), Reference(garment, keys), embeds, ids


@torch.inference_mode()
def test_the_network_runs_as_diffusers_runs_it() -> None:
    unet, sample, times, reference, embeds, ids = asked()
    theirs = unet(
        sample,
        times,
        encoder_hidden_states=embeds[:, None],
        added_cond_kwargs={"text_embeds": embeds, "time_ids": ids},
        cross_attention_kwargs={"reference": reference},
        return_dict=False,
    )[0]
    assert torch.equal(networks.predict_noise(*asked()), theirs)


@torch.inference_mode()
def test_with_its_own_deep_layers_a_step_is_the_same() -> None:
    unet, sample, times, _, embeds, ids = asked()
    predicted = networks.predict(*asked())
    again = networks.predict_again(unet, sample, times, predicted.deep, embeds, ids)
    assert torch.equal(again, predicted.noise)


@torch.inference_mode()
def test_a_step_again_runs_the_finest_layers_alone() -> None:
    unet, sample, times, _, embeds, ids = asked(801)
    predicted: Predicted = networks.predict(*asked())
    deep = (unet.mid_block, *unet.down_blocks[1:], *unet.up_blocks[:-1])
    with counted(*deep, unet.conv_in, unet.conv_out) as calls:
        again = networks.predict_again(unet, sample, times, predicted.deep, embeds, ids)
    assert calls == [0] * len(deep) + [1, 1]
    assert 0 < tiny.relative(again, networks.predict_noise(*asked(801))) < 1


def test_finest_layers_that_attend_are_no_try_on_network_of_ours() -> None:
    blocks = ("CrossAttnDownBlock2D",) * 3
    with torch.device("meta"), pytest.raises(ValueError, match="finest layers attend"):
        networks.tryon_unet({**TINY.tryon, "down_block_types": blocks}, TINY.resampler)
