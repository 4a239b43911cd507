"""The published architecture of IDM-VTON, and a tiny one of the same shape for a quick look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from handlers.diffusion.resampler import Sizes

_UNET: Final[Mapping[str, Any]] = {
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 2,
    "use_linear_projection": True,
}
_ADDED: Final[Mapping[str, Any]] = {"in_channels": 13, "addition_embed_type": "text_time"}
_VAE: Final[Mapping[str, Any]] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "scaling_factor": 0.13025,
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """Configurations of the networks, and the frame in pixels that they paint."""

    unet: Mapping[str, Any]
    time_embed_width: int
    pooled_width: int
    resampler: Sizes
    vae: Mapping[str, Any]
    width_px: int
    height_px: int

    @property
    def tryon(self) -> Mapping[str, Any]:
        """The try-on network's configuration."""
        return {
            **self.unet,
            **_ADDED,
            "addition_time_embed_dim": self.time_embed_width,
            "projection_class_embeddings_input_dim": self.pooled_width + 6 * self.time_embed_width,
        }

    @property
    def context_width(self) -> int:
        """The width of a text token."""
        return int(self.unet["cross_attention_dim"])


PUBLISHED: Final = Architecture(
    unet={
        **_UNET,
        "block_out_channels": (320, 640, 1280),
        "attention_head_dim": (5, 10, 20),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2048,
    },
    time_embed_width=256,
    pooled_width=1280,
    resampler=Sizes(1280, 1280, 1280, 5120, 2048, 16, 4),
    vae={**_VAE, "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
    width_px=768,
    height_px=1024,
)

TINY: Final = Architecture(
    unet={
        **_UNET,
        "block_out_channels": (8, 16, 24),
        "attention_head_dim": (1, 2, 3),
        "transformer_layers_per_block": (1, 1, 2),
        "cross_attention_dim": 24,
        "norm_num_groups": 4,
    },
    time_embed_width=8,
    pooled_width=16,
    resampler=Sizes(32, 40, 128, 160, 24, 16, 4),
    vae={**_VAE, "block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4},
    width_px=96,
    height_px=128,
)
