"""The original's attention, step by step: every token asks, zeros are tokens, nothing is kept.

The baseline that ours is timed against, and the plain form that ours must equal.
"""

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from handlers.diffusion.attention import (
    ImageTextCrossAttention,
    Layer,
    Reference,
    transformer_blocks,
)


class WholeReference:
    """Self-attention over person and garment tokens, of which the garment's are thrown away.

    Without `zeros` the unconditional rows have no garment tokens: the mistake that is easiest to
    make, and not equal.
    """

    def __init__(self, layer: int, *, zeros: bool = True) -> None:
        self.layer, self.zeros = layer, zeros

    def __call__(  # noqa: D102  diffusers calls it
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        reference: Reference | Layer | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask
        if reference is None:
            raise ValueError("the try-on network needs what to attend to")
        own = reference if isinstance(reference, Layer) else reference.at(self.layer)
        garment = own.garment
        plain, tokens = len(hidden_states) - len(garment), hidden_states.shape[1]
        if not self.zeros:
            halves = (hidden_states[:plain], torch.cat([hidden_states[plain:], garment], dim=1))
            answers = torch.cat(
                [_attended(attn, half, half)[:, :tokens] for half in halves if len(half)]
            )
        else:
            padded = torch.cat([garment.new_zeros(plain, *garment.shape[1:]), garment])
            both = torch.cat([hidden_states, padded], dim=1)
            answers = _attended(attn, both, both)[:, :tokens]
        return _projected(attn, answers)


class StepwiseCrossAttention:
    """Cross-attention that makes keys and values of text and picture anew at every step."""

    def __init__(self, ours: ImageTextCrossAttention, text: Tensor, image: Tensor) -> None:
        self.ours, self.text, self.image = ours, text, image

    def __call__(  # noqa: D102  diffusers calls it
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        reference: Reference | Layer | None = None,
    ) -> Tensor:
        del encoder_hidden_states, attention_mask, reference
        keys, values = self.ours.to_k_ip(self.image), self.ours.to_v_ip(self.image)
        query = attn.to_q(hidden_states)
        image = _weighed(attn, query, keys, values)
        text = _weighed(attn, query, attn.to_k(self.text), attn.to_v(self.text))
        return _projected(attn, text + image)


def make_plain(unet: UNet2DConditionModel, text: Tensor, image: Tensor, *, only: str = "") -> None:
    """Put the original's formulas in place of ours; `only` for `self` or `cross` attention."""
    for layer, block in enumerate(transformer_blocks(unet)):
        if only != "cross":
            block.attn1.set_processor(WholeReference(layer))
        if only != "self":
            ours = block.attn2.processor
            block.attn2.set_processor(StepwiseCrossAttention(ours, text, image))


def _attended(attn: Attention, asking: Tensor, asked: Tensor) -> Tensor:
    return _weighed(attn, attn.to_q(asking), attn.to_k(asked), attn.to_v(asked))


def _weighed(attn: Attention, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    query, keys, values = (
        tokens.view(*tokens.shape[:2], attn.heads, -1).transpose(1, 2)
        for tokens in (query, keys, values)
    )
    return functional.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2)


def _projected(attn: Attention, answers: Tensor) -> Tensor:
    result: Tensor = attn.to_out[0](answers)
    return result
