"""The two denoisers of IDM-VTON, how each is run, and SDXL's own.

All are diffusers UNets, the two with processors of ours. What a published configuration says
beyond a UNet's own arguments (EMA bookkeeping, the resampler's type) is left out here.
"""

import inspect
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from handlers.diffusion.attention import (
    CapturingSelfAttention,
    GarmentFeatures,
    ImageTextCrossAttention,
    Reference,
    ReferenceSelfAttention,
    TextCrossAttention,
    transformer_blocks,
)
from handlers.diffusion.resampler import Resampler, Sizes

_LATENT_CHANNELS: Final = 4
RESAMPLER: Final = "encoder_hid_proj"
_OURS: Final = ("encoder_hid_dim", "encoder_hid_dim_type")  # diffusers would run it at every step


def tryon_unet(config: Mapping[str, Any], resampler: Sizes) -> UNet2DConditionModel:
    """Build the network that paints the person: 13 channels in, 4 out.

    The channels are noisy latents 4, mask 1, masked person 4, DensePose 4. The resampler, which
    runs once per garment and never in the network's own forward, is its `encoder_hid_proj`.
    """
    unet = UNet2DConditionModel(**_arguments(config))
    if _attends(unet.down_blocks[0]) or _attends(unet.up_blocks[-1]):
        raise ValueError("the finest layers attend, which those of IDM-VTON do not")
    unet.encoder_hid_proj = Resampler(resampler)
    for layer, block in enumerate(transformer_blocks(unet)):
        block.attn1.set_processor(ReferenceSelfAttention(layer))
        block.attn2.set_processor(ImageTextCrossAttention(layer, block.attn2))
    return unet


def garment_unet(config: Mapping[str, Any]) -> UNet2DConditionModel:
    """Build the network that looks at the garment: 4 channels in, features out.

    What comes after its last attention is never asked for, so it is not there; `unused_keys` names
    those weights.
    """
    unet = UNet2DConditionModel(**_arguments(config))
    del unet.up_blocks[_blocks_used(unet) :]
    unet.conv_norm_out = unet.conv_out = None
    for block in transformer_blocks(unet):
        block.attn1.set_processor(CapturingSelfAttention())
        block.attn2.set_processor(TextCrossAttention())
    return unet


def sdxl_unet(config: Mapping[str, Any]) -> UNet2DConditionModel:
    """Build SDXL's own network: 4 channels of noisy latents in, 4 of noise out.

    Raises ValueError for a relative of it that needs more than latents.
    """
    unet = UNet2DConditionModel(**_arguments(config))
    if unet.config.in_channels != _LATENT_CHANNELS:
        raise ValueError(f"in_channels is {unet.config.in_channels}, expected {_LATENT_CHANNELS}")
    return unet


def unused_keys(config: Mapping[str, Any], unet: UNet2DConditionModel) -> tuple[str, ...]:
    """Give the patterns of published weights that the garment network has no use for."""
    left_out = range(len(unet.up_blocks), len(config["up_block_types"]))
    blocks = tuple(f"up_blocks.{index}.*" for index in left_out)
    return ("add_embedding.*", "conv_norm_out.*", "conv_out.*", *blocks)


def look_at_garment(
    unet: UNet2DConditionModel, latents: Tensor, timestep: Tensor, text: Tensor
) -> GarmentFeatures:
    """Run the garment network as far as it matters and give what its self-attentions were given.

    latents: (rows, 4, height, width), timestep: (rows,) or (), text: (rows, 77, width).
    """
    captured: list[Tensor] = []
    embedding = unet.time_embedding(unet.get_time_embed(latents, timestep))
    context = {
        "encoder_hidden_states": text,
        "cross_attention_kwargs": {"captured": captured},
    }
    sample = unet.conv_in(latents)
    skips = [sample]
    for block in unet.down_blocks:
        sample, outputs = block(sample, embedding, **(context if _attends(block) else {}))
        skips.extend(outputs)
    sample = unet.mid_block(sample, embedding, **context)
    for block in unet.up_blocks:
        kept = len(skips) - len(block.resnets)
        skips, given = skips[:kept], tuple(skips[kept:])
        size = skips[-1].shape[2:] if skips else None
        sample = block(sample, given, embedding, upsample_size=size, **context)
    return tuple(captured)


class Predicted(NamedTuple):
    """The noise that was predicted, and what the deep layers said to the last block, (rows, …)."""

    noise: Tensor
    deep: Tensor


def predict_noise(
    unet: UNet2DConditionModel,
    sample: Tensor,
    timestep: Tensor,
    reference: Reference,
    text_embeds: Tensor,
    time_ids: Tensor,
) -> Tensor:
    """Predict the noise alone, (rows, 4, height, width); see `predict`."""
    return predict(unet, sample, timestep, reference, text_embeds, time_ids).noise


def predict(
    unet: UNet2DConditionModel,
    sample: Tensor,
    timestep: Tensor,
    reference: Reference,
    text_embeds: Tensor,
    time_ids: Tensor,
) -> Predicted:
    """Predict the noise in the first 4 of `sample`'s 13 channels: (rows, 4, height, width).

    timestep: (rows,) or (), text_embeds: (rows, pooled width), time_ids: (rows, 6). The text itself
    is in `reference`.
    """
    embedding = _embedding(unet, sample, timestep, text_embeds, time_ids)
    fine = _fine(unet, sample, embedding)
    deep = _deep(unet, fine, embedding, reference, text_embeds)
    return Predicted(_finished(unet, fine, embedding, deep), deep)


def predict_again(
    unet: UNet2DConditionModel,
    sample: Tensor,
    timestep: Tensor,
    deep: Tensor,
    text_embeds: Tensor,
    time_ids: Tensor,
) -> Tensor:
    """Predict noise with what the deep layers said in an earlier step, an approximation.

    Only the finest layers run, which attend to nothing (DeepCache, arXiv 2312.00858).
    """
    embedding = _embedding(unet, sample, timestep, text_embeds, time_ids)
    return _finished(unet, _fine(unet, sample, embedding), embedding, deep)


def _embedding(
    unet: UNet2DConditionModel,
    sample: Tensor,
    timestep: Tensor,
    text_embeds: Tensor,
    time_ids: Tensor,
) -> Tensor:
    embedding = unet.time_embedding(unet.get_time_embed(sample, timestep))
    added = {"text_embeds": text_embeds, "time_ids": time_ids}
    told: Tensor = embedding + unet.get_aug_embed(embedding, text_embeds, added)
    return told


def _fine(unet: UNet2DConditionModel, sample: Tensor, embedding: Tensor) -> list[Tensor]:
    """Give what the last block is shown of the finest layers, in order of execution."""
    shown = [unet.conv_in(sample)]
    for resnet in unet.down_blocks[0].resnets:
        shown.append(resnet(shown[-1], embedding))
    return shown


def _deep(
    unet: UNet2DConditionModel,
    fine: list[Tensor],
    embedding: Tensor,
    reference: Reference,
    text_embeds: Tensor,
) -> Tensor:
    """Run everything between the finest layers."""
    context = {
        "encoder_hidden_states": text_embeds[:, None],  # our processors take it from `reference`
        "cross_attention_kwargs": {"reference": reference},
    }
    sample = fine[-1]
    for downsampler in unet.down_blocks[0].downsamplers:
        sample = downsampler(sample)
    skips = [*fine, sample]
    for block in unet.down_blocks[1:]:
        sample, outputs = block(sample, embedding, **(context if _attends(block) else {}))
        skips.extend(outputs)
    sample = unet.mid_block(sample, embedding, **context)
    for block in unet.up_blocks[:-1]:
        kept = len(skips) - len(block.resnets)
        skips, given = skips[:kept], tuple(skips[kept:])
        told = context if _attends(block) else {}
        sample = block(sample, given, embedding, upsample_size=skips[-1].shape[2:], **told)
    return sample


def _finished(
    unet: UNet2DConditionModel, fine: list[Tensor], embedding: Tensor, deep: Tensor
) -> Tensor:
    sample = unet.up_blocks[-1](deep, tuple(fine), embedding)
    predicted: Tensor = unet.conv_out(unet.conv_act(unet.conv_norm_out(sample)))
    return predicted


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    known = inspect.signature(UNet2DConditionModel.__init__).parameters
    return {name: config[name] for name in config if name in known and name not in _OURS}


def _blocks_used(unet: UNet2DConditionModel) -> int:
    return max(index for index, block in enumerate(unet.up_blocks) if _attends(block)) + 1


def _attends(block: nn.Module) -> bool:
    return bool(getattr(block, "has_cross_attention", False))
