"""The original's attention as it is written down in the paper: nothing saved, nothing rewritten."""

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from handlers.diffusion.attention import ImageTextCrossAttention, Reference, transformer_blocks


class PlainReference:
    """Every token asks, garment features of zero are tokens like any other.

    Without `zeros` they are left out: the mistake that is easiest to make.
    """

    def __init__(self, layer: int, *, zeros: bool = True) -> None:
        self.layer, self.zeros = layer, zeros

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        reference: Reference | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask
        assert reference is not None
        garment = reference.garment[self.layer]
        plain = len(hidden_states) - len(garment)
        nothing = garment.new_zeros(plain, garment.shape[1] * self.zeros, garment.shape[2])
        halves = []
        for states, feature in ((hidden_states[:plain], nothing), (hidden_states[plain:], garment)):
            both = torch.cat([states, feature], dim=1)
            answers = attend(attn, both, attn.to_k(both), attn.to_v(both))
            halves.append(answers[:, : states.shape[1]])
        return projected(attn, torch.cat(halves))


class PlainTextAndImage:
    """Keys and values of text and image tokens made anew at every step."""

    def __init__(self, processor: ImageTextCrossAttention, text: Tensor, image: Tensor) -> None:
        self.ours, self.text, self.image = processor, text, image

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        reference: Reference | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask, reference
        text = attend(attn, hidden_states, attn.to_k(self.text), attn.to_v(self.text))
        keys, values = self.ours.to_k_ip(self.image), self.ours.to_v_ip(self.image)
        return projected(attn, text + attend(attn, hidden_states, keys, values))


def projected(attn: Attention, answers: Tensor) -> Tensor:
    result: Tensor = attn.to_out[0](answers)
    return result


def attend(attn: Attention, asking: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    query, keys, values = (
        tokens.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        for tokens in (attn.to_q(asking), keys, values)
    )
    weights = torch.softmax(query @ keys.mT / query.shape[-1] ** 0.5, dim=-1)
    return (weights @ values).transpose(1, 2).flatten(2)


def make_plain(
    unet: UNet2DConditionModel, text: Tensor, image: Tensor, *, only: str = "both"
) -> None:
    """Put the plain forms in place of ours: of self-attention, cross-attention or both."""
    for layer, block in enumerate(transformer_blocks(unet)):
        if only in {"both", "self"}:
            block.attn1.set_processor(PlainReference(layer))
        if only in {"both", "cross"}:
            block.attn2.set_processor(PlainTextAndImage(block.attn2.processor, text, image))


def dense_attention(query: Tensor, keys: Tensor, values: Tensor, zeros: int) -> Tensor:
    """Attention to `keys` and to `zeros` further tokens that are all zero."""
    padding = (0, 0, 0, zeros)
    return functional.scaled_dot_product_attention(
        query, functional.pad(keys, padding), functional.pad(values, padding)
    )
