import math
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.upstream import make_plain
from handlers.diffusion import attention, networks
from handlers.diffusion.attention import Reference, dilution, prompt_keys, transformer_blocks
from tests.handlers.diffusion import tiny

FLOAT32_ERROR = 2e-6


@pytest.fixture
def condition() -> dict[str, Tensor]:
    """Two unconditional and two conditional rows, as under guidance."""
    make = torch.Generator().manual_seed(3)
    unet = tiny.networks().tryon
    width = unet.config.cross_attention_dim

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=make)

    return {
        "sample": normal(4, 13, 12, 10),
        "text": normal(4, 77, width),
        "image": normal(4, 16, width),
        "text_embeds": normal(4, 16),
        "time_ids": torch.tensor([[96, 80, 0, 0, 96, 80]] * 4).float(),
        "garment_latents": normal(2, 4, 12, 10),
        "garment_text": normal(2, 77, width),
        "timestep": torch.tensor([958, 100, 958, 100]),
    }


def features(told: dict[str, Tensor]) -> attention.GarmentFeatures:
    return networks.look_at_garment(
        tiny.networks().garment, told["garment_latents"], told["timestep"][:2], told["garment_text"]
    )


def prediction(unet: UNet2DConditionModel, told: dict[str, Tensor], reference: Reference) -> Tensor:
    return networks.predict_noise(
        unet, told["sample"], told["timestep"], reference, told["text_embeds"], told["time_ids"]
    )


@pytest.mark.parametrize("only", ["self", "cross", ""])
@torch.inference_mode()
def test_each_rewrite_predicts_what_the_plain_form_does(
    only: str, condition: dict[str, Tensor]
) -> None:
    changed = tiny.fresh_networks().tryon
    keys = prompt_keys(changed, condition["text"], condition["image"])
    reference = Reference(features(condition), keys)
    ours = prediction(tiny.networks().tryon, condition, reference)
    make_plain(changed, condition["text"], condition["image"], only=only)
    theirs = prediction(changed, condition, reference)
    assert tiny.relative(ours, theirs) < FLOAT32_ERROR


@torch.inference_mode()
def test_rows_do_not_know_of_one_another(condition: dict[str, Tensor]) -> None:
    unet = tiny.networks().tryon
    keys = prompt_keys(unet, condition["text"], condition["image"])
    seen = features(condition)
    together = prediction(unet, condition, Reference(seen, keys))
    for row in range(2):
        rows = [row, row + 2]
        alone = {name: value[rows] for name, value in condition.items() if len(value) == 4}
        mine = Reference(
            tuple(one[row : row + 1] for one in seen),
            tuple(attention.PromptKeys(*(part[rows] for part in one)) for one in keys),
        )
        assert tiny.relative(prediction(unet, alone, mine), together[rows]) < FLOAT32_ERROR


@torch.inference_mode()
def test_queries_keys_and_values_may_be_one_product(condition: dict[str, Tensor]) -> None:
    nets = tiny.fresh_networks()
    keys = prompt_keys(nets.tryon, condition["text"], condition["image"])
    seen = features(condition)
    before = prediction(nets.tryon, condition, Reference(seen, keys))
    held = sum(one.nbytes for one in nets.tryon.state_dict().values())
    for unet in (nets.tryon, nets.garment):
        attention.join(unet)
    again = networks.look_at_garment(
        nets.garment,
        condition["garment_latents"],
        condition["timestep"][:2],
        condition["garment_text"],
    )
    for mine, expected in zip(again, seen, strict=True):
        assert tiny.relative(mine, expected) < FLOAT32_ERROR
    after = prediction(nets.tryon, condition, Reference(again, keys))
    assert tiny.relative(after, before) < 2 * FLOAT32_ERROR
    assert sum(one.nbytes for one in nets.tryon.state_dict().values()) == held
    first = next(iter(transformer_blocks(nets.tryon))).attn1
    assert first.to_q.weight.data_ptr() == first.joined.data_ptr()


@pytest.mark.parametrize(
    ("dtype", "error"),
    [(torch.float32, 1e-6), (torch.float16, 4e-3), (torch.bfloat16, 3e-2)],
)
def test_zero_tokens_dilute_as_if_they_were_there(dtype: torch.dtype, error: float) -> None:
    make = torch.Generator().manual_seed(5)
    query, keys, values = (torch.randn((2, 3, 40, 16), generator=make).to(dtype) for _ in range(3))
    logits = torch.tensor(dilution(3072, dtype), dtype=dtype)
    ours = attention._attend_diluted(query, keys, values, logits)
    padding = (0, 0, 0, 3072)
    exact = functional.scaled_dot_product_attention(
        query.double(),
        functional.pad(keys.double(), padding),
        functional.pad(values.double(), padding),
    )
    assert tiny.relative(ours.double(), exact) < error


@settings(max_examples=200)
@given(
    tokens=st.integers(1, 100_000),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)
def test_the_logits_of_zero_tokens_add_up(tokens: int, dtype: torch.dtype) -> None:
    logits = dilution(tokens, dtype)
    assert all(torch.tensor(one, dtype=dtype).item() == one for one in logits)
    assert math.isclose(sum(math.exp(one) for one in logits), tokens, rel_tol=3e-6)


def test_blocks_are_numbered_in_the_order_they_run_in() -> None:
    unet = tiny.networks().tryon
    names = {module: name for name, module in unet.named_modules()}
    order = [names[block].partition("_")[0] for block in transformer_blocks(unet)]
    assert order == sorted(order, key=["down", "mid", "up"].index)
    assert [block.attn1.processor.layer for block in transformer_blocks(unet)] == list(
        range(len(order))
    )


@torch.inference_mode()
def test_a_network_without_its_reference_says_so(condition: dict[str, Tensor]) -> None:
    nothing: Any = None
    with pytest.raises(ValueError, match="needs what to attend to"):
        prediction(tiny.networks().tryon, condition, nothing)
