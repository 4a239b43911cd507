import logging
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear8bitLt
from torch import nn

from benchmarks.gpu.sizes import PUBLISHED
from handlers.diffusion import int8, networks
from tests.handlers.diffusion import tiny


def layer(width: int = 256) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(width, width).requires_grad_(requires_grad=False)


def activations(width: int = 256) -> torch.Tensor:
    """Activations with two columns of outliers, as real networks have them."""
    drawn = torch.randn(4, 32, width, generator=torch.Generator().manual_seed(1))
    drawn[..., 7] *= 60
    drawn[..., 100] *= 40
    return drawn


def error(outliers_from: float) -> float:
    exact, quantised = layer(), nn.Sequential(layer())
    int8.quantise(quantised, outliers_from=outliers_from)
    given = activations()
    return tiny.relative(quantised(given), exact(given))


@pytest.mark.prop(22)
def test_outliers_do_not_drown_the_rest() -> None:
    assert error(int8.OUTLIERS_FROM) < 0.01
    assert error(0.0) > 0.03


def test_whole_numbers_are_multiplied_not_only_stored() -> None:
    """In training mode the library would do the former alone, and its error be half as large."""
    made = nn.Sequential(layer())
    int8.quantise(made)
    assert not made[0].training
    given = activations()
    whole = made(given)
    made.train()
    assert not torch.equal(whole, made(given))


def test_layers_that_everything_passes_through_are_left_alone() -> None:
    tryon = tiny.fresh_networks().tryon
    names = [name for name, one in tryon.named_modules() if isinstance(one, nn.Linear)]
    assert int8.quantise(tryon) < len(names)
    for name in names:
        kept = int8.KEPT & set(name.split("."))
        assert isinstance(tryon.get_submodule(name), Linear8bitLt) is not bool(kept)


def test_nothing_is_said_of_every_call(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = nn.Sequential(layer())
    int8.quantise(made)
    made(activations())
    assert not caplog.records


def test_moving_takes_along_what_is_no_parameter() -> None:
    made: Any = nn.Sequential(layer())
    int8.quantise(made)
    given = activations()
    before = made(given)
    made[0].weight.data = made[0].weight.data.clone()  # as after a journey
    with torch.inference_mode():
        int8.move(made, torch.device("cpu"))
    assert made[0].state.CB.data_ptr() == made[0].weight.data_ptr()
    assert not made[0].weight.is_inference()
    assert torch.equal(made(given), before)


def test_weights_shrink_to_a_byte_each() -> None:
    made = nn.Sequential(layer())
    before = int8.held_bytes(made)
    int8.quantise(made)
    assert before == 4 * (256 * 256 + 256)
    assert int8.held_bytes(made) == 256 * 256 + 2 * 4 * 256  # and a scale and a bias per row


@pytest.mark.slow
def test_the_published_networks_fit_as_counted() -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        with torch.device("meta"):
            tryon = networks.tryon_unet(PUBLISHED.tryon, PUBLISHED.resampler)
            garment = networks.garment_unet(PUBLISHED.unet)
    finally:
        torch.set_default_dtype(before)
    whole = [int8.held_bytes(one) / 1e9 for one in (tryon, garment)]
    for one in (tryon, garment):
        int8.quantise(one.requires_grad_(requires_grad=False))
    small = [int8.held_bytes(one) / 1e9 for one in (tryon, garment)]
    assert [round(one, 2) for one in whole] == [5.98, 5.10]
    assert [round(one, 2) for one in small] == [3.39, 2.92]
