"""The attention of IDM-VTON as processors of diffusers' own attention layers.

The garment network runs first and keeps what each of its self-attentions is given. The try-on
network attends to its own tokens and to those, layer by layer in order of execution, and its
cross-attention adds the garment picture's tokens to the text's (IP-Adapter, arXiv 2308.06721).
Three rewrites make it cheaper and change nothing but rounding:

- only the person's tokens ask, because the answers of the garment's tokens are thrown away;
- the unconditional half attends to garment features of zero: tokens of logit 0 and value 0, which
  only dilute the rest, so a few tokens whose logits carry their number stand for all of them;
- keys and values of text and picture tokens do not depend on the step: made once per request.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple, TypeAlias

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from handlers.diffusion.attention_backend import Attend, sdpa

_DILUTION_ERROR: Final = 1e-6


class PromptKeys(NamedTuple):
    """Keys and values of one cross-attention, each (rows, heads, tokens, head width)."""

    text_keys: Tensor
    text_values: Tensor
    image_keys: Tensor
    image_values: Tensor


GarmentFeatures: TypeAlias = tuple[Tensor, ...]
"""What each self-attention of the garment network was given, in order of execution:
(conditional rows, garment tokens, width) per layer."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the try-on network attends to besides itself, one entry per layer.

    Rows without a garment feature come first: they are the unconditional ones.
    """

    garment: GarmentFeatures
    prompt: tuple[PromptKeys, ...]


class CapturingSelfAttention:
    """Self-attention that appends its input, (rows, tokens, width), to `captured`."""

    def __init__(self) -> None:
        self.attend: Attend = sdpa

    def __call__(  # noqa: D102  diffusers calls it
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        captured: list[Tensor] | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask
        if captured is not None:
            captured.append(hidden_states)
        keys, values = _keys(attn, hidden_states)
        return _project(attn, self.attend(_query(attn, hidden_states), keys, values))


class TextCrossAttention:
    """Plain cross-attention that lets `captured` pass by."""

    def __init__(self) -> None:
        self.attend: Attend = sdpa

    def __call__(  # noqa: D102  diffusers calls it
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        captured: list[Tensor] | None = None,
    ) -> Tensor:
        del attention_mask, captured
        keys, values = _keys(attn, encoder_hidden_states)
        return _project(attn, self.attend(_query(attn, hidden_states), keys, values))


class ReferenceSelfAttention:
    """Self-attention of the try-on network's `layer`-th block, over person and garment tokens."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.attend: Attend = sdpa

    def __call__(  # noqa: D102  diffusers calls it
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        reference: Reference | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask
        if reference is None:
            raise ValueError("the try-on network needs what to attend to")
        garment = reference.garment[self.layer]
        plain = hidden_states.shape[0] - garment.shape[0]
        query, (keys, values) = _query(attn, hidden_states), _keys(attn, hidden_states)
        garment_keys, garment_values = _keys(attn, garment)
        both_keys = torch.cat([keys[plain:], garment_keys], dim=2)
        both_values = torch.cat([values[plain:], garment_values], dim=2)
        answers = self.attend(query[plain:], both_keys, both_values)
        if plain:
            diluted = _attend_diluted(query[:plain], keys[:plain], values[:plain], garment.shape[1])
            answers = torch.cat([diluted, answers])
        return _project(attn, answers)


class ImageTextCrossAttention(nn.Module):
    """Cross-attention to text plus cross-attention to the garment picture's tokens, summed.

    `to_k_ip` and `to_v_ip` are named as in the published state dict, where a processor that is a
    module is found under `<layer>.processor`.
    """

    def __init__(self, layer: int, attn: Attention) -> None:
        super().__init__()
        self.layer = layer
        self.attend: Attend = sdpa
        width, context = attn.to_k.out_features, attn.to_k.in_features
        self.to_k_ip = nn.Linear(context, width, bias=False)
        self.to_v_ip = nn.Linear(context, width, bias=False)

    def keys(self, attn: Attention, text: Tensor, image: Tensor) -> PromptKeys:
        """Give keys and values of text (rows, tokens, width) and image tokens, for any step."""
        text_keys, text_values = _keys(attn, text)
        image_keys = _split(attn, self.to_k_ip(image))
        return PromptKeys(text_keys, text_values, image_keys, _split(attn, self.to_v_ip(image)))

    def __call__(  # noqa: D102  diffusers calls it, and reads its parameters' names
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        reference: Reference | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask
        if reference is None:
            raise ValueError("the try-on network needs what to attend to")
        prompt, query = reference.prompt[self.layer], _query(attn, hidden_states)
        text = self.attend(query, prompt.text_keys, prompt.text_values)
        image = self.attend(query, prompt.image_keys, prompt.image_values)
        return _project(attn, text + image)


def transformer_blocks(unet: UNet2DConditionModel) -> Iterator[BasicTransformerBlock]:
    """Yield the transformer blocks in order of execution: down, middle, up.

    `unet.attn_processors` lists the middle last, which is not the order they run in.
    """
    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        for attention in getattr(block, "attentions", ()):
            yield from attention.transformer_blocks


def prompt_keys(unet: UNet2DConditionModel, text: Tensor, image: Tensor) -> tuple[PromptKeys, ...]:
    """Give every cross-attention's keys and values of text and image (rows, tokens, width)."""
    return tuple(
        block.attn2.processor.keys(block.attn2, text, image) for block in transformer_blocks(unet)
    )


def use_backend(unet: UNet2DConditionModel, attend: Attend) -> None:
    """Let every processor of ours in `unet` attend by `attend`."""
    for block in transformer_blocks(unet):
        block.attn1.processor.attend = block.attn2.processor.attend = attend


@cache
def dilution(tokens: int, dtype: torch.dtype) -> tuple[float, ...]:
    """Give logits, exact in `dtype`, whose exponentials add up to `tokens`.

    One is enough in float32; bfloat16 rounds log(3072) by 0.4 %, which further ones make up for.
    """
    logits: list[float] = []
    missing = float(tokens)
    while missing > tokens * _DILUTION_ERROR:
        rounded = torch.tensor(math.log(missing), dtype=dtype)
        if math.exp(rounded.item()) > missing * (1 + _DILUTION_ERROR):
            rounded = torch.nextafter(rounded, torch.tensor(-math.inf, dtype=dtype))
        logits.append(rounded.item())
        missing -= math.exp(rounded.item())
    return tuple(logits)


def _attend_diluted(query: Tensor, keys: Tensor, values: Tensor, zeros: int) -> Tensor:
    """Attend to `keys` and to as many tokens of logit 0 and value 0 as `zeros` says.

    By torch, whatever the backend: xformers wants a bias laid out in eights.
    """
    logits = dilution(zeros, query.dtype)
    bias = torch.zeros(keys.shape[2] + len(logits), dtype=query.dtype, device=query.device)
    bias[keys.shape[2] :] = torch.tensor(logits, dtype=query.dtype)
    padding = (0, 0, 0, len(logits))
    return functional.scaled_dot_product_attention(
        query,
        functional.pad(keys, padding),
        functional.pad(values, padding),
        attn_mask=bias.expand(*query.shape[:-1], -1),
    )


def _query(attn: Attention, states: Tensor) -> Tensor:
    return _split(attn, attn.to_q(states))


def _keys(attn: Attention, states: Tensor) -> tuple[Tensor, Tensor]:
    return _split(attn, attn.to_k(states)), _split(attn, attn.to_v(states))


def _split(attn: Attention, states: Tensor) -> Tensor:
    """(rows, tokens, width) to (rows, heads, tokens, head width)."""
    return states.view(*states.shape[:2], attn.heads, -1).transpose(1, 2)


def _project(attn: Attention, answers: Tensor) -> Tensor:
    """(rows, heads, tokens, head width) to the layer's output, (rows, tokens, width)."""
    linear: nn.Module = attn.to_out[0]
    projected: Tensor = linear(answers.transpose(1, 2).flatten(2))
    return projected
