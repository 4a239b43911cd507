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
class Layer:
    """What one block attends to besides itself; logits, (few,), see `dilution`."""

    garment: Tensor
    prompt: PromptKeys | None
    logits: Tensor


@dataclass(frozen=True, slots=True)
class Reference:
    """What the try-on network attends to besides itself, one entry per layer.

    Rows without a garment feature come first: they are the unconditional ones.
    """

    garment: GarmentFeatures
    prompt: tuple[PromptKeys, ...]

    def at(self, layer: int) -> Layer:
        """Give what concerns one block."""
        garment = self.garment[layer]
        prompt = self.prompt[layer] if self.prompt else None
        return Layer(garment, prompt, _logits(garment.shape[1], garment.dtype, garment.device))


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
        reference: Reference | Layer | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask
        layer = _own(reference, self)
        garment = layer.garment
        plain = hidden_states.shape[0] - garment.shape[0]
        query, keys, values = _all(attn, hidden_states)
        garment_keys, garment_values = _keys(attn, garment)
        both_keys = torch.cat([keys[plain:], garment_keys], dim=2)
        both_values = torch.cat([values[plain:], garment_values], dim=2)
        answers = self.attend(query[plain:], both_keys, both_values)
        if plain:
            diluted = _attend_diluted(query[:plain], keys[:plain], values[:plain], layer.logits)
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
        reference: Reference | Layer | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask
        prompt, query = _own(reference, self).prompt, _query(attn, hidden_states)
        if prompt is None:
            raise ValueError("the try-on network needs the keys of what it is told")
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


def join(unet: UNet2DConditionModel) -> None:
    """Let every self-attention make queries, keys and values by one product.

    Their weights become views of one tensor, so nothing is held twice; they must stay where they
    are from then on, and have no biases, as those of SDXL's family have none.
    """
    for block in transformer_blocks(unet):
        layers = (block.attn1.to_q, block.attn1.to_k, block.attn1.to_v)
        joined = torch.cat([layer.weight for layer in layers])
        for layer, part in zip(layers, joined.chunk(3), strict=True):
            layer.weight = nn.Parameter(part, requires_grad=False)
        block.attn1.joined = joined


def joined_weights(attn: Attention) -> Tensor | None:
    """Give the weights of queries, keys and values, (3 x width, width), where they lie together."""
    joined: Tensor | None = getattr(attn, "joined", None)
    return joined


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


@cache
def _logits(tokens: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(dilution(tokens, dtype), dtype=dtype, device=device)


def _attend_diluted(query: Tensor, keys: Tensor, values: Tensor, logits: Tensor) -> Tensor:
    """Attend to `keys` and to further tokens of value 0, whose logits are given.

    By torch, whatever the backend: xformers wants a bias laid out in eights.
    """
    bias = functional.pad(logits, (keys.shape[2], 0))
    padding = (0, 0, 0, logits.shape[0])
    return functional.scaled_dot_product_attention(
        query,
        functional.pad(keys, padding),
        functional.pad(values, padding),
        attn_mask=bias.expand(*query.shape[:-1], -1),
    )


def _own(
    reference: Reference | Layer | None, one: ReferenceSelfAttention | ImageTextCrossAttention
) -> Layer:
    """Give what concerns a processor's own block; who was given just that asks for no number."""
    if reference is None:
        raise ValueError("the try-on network needs what to attend to")
    return reference if isinstance(reference, Layer) else reference.at(one.layer)


def _query(attn: Attention, states: Tensor) -> Tensor:
    return _split(attn, attn.to_q(states))


def _all(attn: Attention, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give queries, keys and values, by one product where they lie together."""
    if (joined := joined_weights(attn)) is None:
        return _query(attn, states), *_keys(attn, states)
    query, keys, values = functional.linear(states, joined).chunk(3, dim=-1)
    return _split(attn, query), _split(attn, keys), _split(attn, values)


def _keys(attn: Attention, states: Tensor) -> tuple[Tensor, Tensor]:
    if (joined := joined_weights(attn)) is not None:
        keys, values = functional.linear(states, joined[len(joined) // 3 :]).chunk(2, dim=-1)
        return _split(attn, keys), _split(attn, values)
    return _split(attn, attn.to_k(states)), _split(attn, attn.to_v(states))


def _split(attn: Attention, states: Tensor) -> Tensor:
    """(rows, tokens, width) to (rows, heads, tokens, head width)."""
    return states.view(*states.shape[:2], attn.heads, -1).transpose(1, 2)


def _project(attn: Attention, answers: Tensor) -> Tensor:
    """(rows, heads, tokens, head width) to the layer's output, (rows, tokens, width)."""
    linear: nn.Module = attn.to_out[0]
    projected: Tensor = linear(answers.transpose(1, 2).flatten(2))
    return projected
