"""Random networks of a given architecture, run by the original's formulas and by ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from benchmarks.gpu.sizes import Architecture
from benchmarks.gpu.upstream import make_plain
from handlers.diffusion import compiling, networks, sampling
from handlers.diffusion.attention import (
    CapturingSelfAttention,
    GarmentFeatures,
    Reference,
    TextCrossAttention,
    prompt_keys,
    transformer_blocks,
)

_TEXT_TOKENS: Final = 77
GUIDANCE_SCALE: Final = 2.0
# The published scheduler's tables, as its configuration gives them.
SCHEDULER: Final = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "rescale_betas_zero_snr": True,
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """One request's inputs, drawn: the unconditional row first where there are two."""

    latents: Tensor
    fixed: Tensor
    garment_latents: Tensor
    garment_text: Tensor
    text: Tensor
    tokens: Tensor
    text_embeds: Tensor
    time_ids: Tensor


class Subject:
    """The networks of one architecture on one device, and how a step of theirs is taken."""

    def __init__(self, size: Architecture, device: torch.device, dtype: torch.dtype) -> None:
        self.size, self.device, self.dtype = size, device, dtype
        with _as_default(device, dtype):
            self.tryon = networks.tryon_unet(size.tryon, size.resampler).eval()
            self.whole_garment = _whole_garment(size).eval()
        with _as_default(device, torch.float32):
            self.vae = AutoencoderKL(**size.vae).eval()
        with torch.device("meta"):
            self.garment = networks.garment_unet(size.unet).eval()
        # The same tensors, so that both forms stand in memory once.
        shared = self.whole_garment.state_dict()
        wanted = self.garment.state_dict()
        self.garment.load_state_dict({name: shared[name] for name in wanted}, assign=True)
        self.inputs = self._drawn()
        self.ours = self._processors()
        self.prompt = prompt_keys(self.tryon, self.inputs.text, self.inputs.tokens)

    def use_upstream(self) -> None:
        """Let the try-on network attend as the original's does."""
        self.use_ours()  # the original's take the weights of ours
        make_plain(self.tryon, self.inputs.text, self.inputs.tokens)

    def use_ours(self) -> None:
        """Let it attend as ours does."""
        for attention, processor in self.ours:
            attention.set_processor(processor)

    def compile(self) -> None:
        """Let the transformer blocks of every network run compiled."""
        for unet in (self.tryon, self.garment, self.whole_garment):
            compiling.compile_blocks(unet)

    def upstream_features(self, timestep: Tensor) -> GarmentFeatures:
        """Run the garment network to its very end, as the original does."""
        captured: list[Tensor] = []
        self.whole_garment(
            self.inputs.garment_latents,
            timestep,
            encoder_hidden_states=self.inputs.garment_text,
            cross_attention_kwargs={"captured": captured},
        )
        return tuple(captured)

    def our_features(self, timestep: Tensor) -> GarmentFeatures:
        """Run it as far as it matters."""
        told = self.inputs
        return networks.look_at_garment(
            self.garment, told.garment_latents, timestep, told.garment_text
        )

    def predict(self, latents: Tensor, timestep: Tensor, garment: GarmentFeatures) -> Tensor:
        """Predict the guided noise, (1, 4, h, w) float32."""
        sample = torch.cat([torch.cat([latents, self.inputs.fixed], dim=1)] * 2).to(self.dtype)
        reference = Reference(garment, self.prompt)
        embeds, ids = self.inputs.text_embeds, self.inputs.time_ids
        predicted = networks.predict_noise(
            self.tryon, sample, timestep, reference, embeds, ids
        ).float()
        unconditional, conditional = predicted.chunk(2)
        return sampling.guided(unconditional, conditional, GUIDANCE_SCALE)

    def predict_again(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """Predict by the finest layers alone, with what the deep ones would have said."""
        told, block = self.inputs, self.tryon.up_blocks[-1]
        width = block.resnets[0].norm1.num_channels - self.tryon.conv_in.out_channels
        sample = torch.cat([torch.cat([latents, told.fixed], dim=1)] * 2).to(self.dtype)
        deep = sample.new_zeros(2, width, *latents.shape[2:])
        return networks.predict_again(
            self.tryon, sample, timestep, deep, told.text_embeds, told.time_ids
        )

    def image(self, steps: int, features: Callable[[Tensor], GarmentFeatures]) -> Tensor:
        """Encode three pictures, take all steps, decode: (1, 3, H, W)."""
        blank = torch.zeros(1, 3, self.size.height_px, self.size.width_px, device=self.device)
        for _ in ("masked person", "DensePose", "garment"):
            self.vae.encode(blank)
        plan, now = sampling.schedule(SCHEDULER, "ddpm", steps, 1.0), self.inputs.latents
        plan = plan.to(self.device)
        for timestep in plan.timesteps:
            predicted = self.predict(now, timestep, features(timestep))
            now = sampling.ddpm_step(plan, predicted, timestep, now, torch.randn_like(now))
        pixels: Tensor = self.vae.decode(now / self.vae.config.scaling_factor).sample
        return pixels

    def _drawn(self) -> Inputs:
        counted_only = self.device.type == "meta"  # has no numbers to draw
        make = None if counted_only else torch.Generator(self.device).manual_seed(0)
        factor = 2 ** (len(self.size.vae["block_out_channels"]) - 1)
        height, width = self.size.height_px // factor, self.size.width_px // factor
        context, queries = self.size.context_width, self.size.resampler.queries

        def normal(*shape: int, dtype: torch.dtype = self.dtype) -> Tensor:
            return torch.randn(shape, generator=make, device=self.device, dtype=dtype)

        sides = [self.size.height_px, self.size.width_px, 0, 0]
        ids = torch.tensor([[*sides, *sides[:2]]] * 2, device=self.device, dtype=self.dtype)
        return Inputs(
            latents=normal(1, 4, height, width, dtype=torch.float32),
            fixed=normal(1, 9, height, width, dtype=torch.float32),
            garment_latents=normal(1, 4, height, width),
            garment_text=normal(1, _TEXT_TOKENS, context),
            text=normal(2, _TEXT_TOKENS, context),
            tokens=normal(2, queries, context),
            text_embeds=normal(2, self.size.pooled_width),
            time_ids=ids,
        )

    def _processors(self) -> list[tuple[Any, Any]]:
        layers = [
            one for block in transformer_blocks(self.tryon) for one in (block.attn1, block.attn2)
        ]
        return [(layer, layer.processor) for layer in layers]


def _whole_garment(size: Architecture) -> UNet2DConditionModel:
    unet = UNet2DConditionModel(**size.unet)
    for block in transformer_blocks(unet):
        block.attn1.set_processor(CapturingSelfAttention())
        block.attn2.set_processor(TextCrossAttention())
    return unet


@contextmanager
def _as_default(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Let modules be made where and as they shall stand, without a copy elsewhere first."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(before)
