"""Planes of pixels to latents and back."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handlers.diffusion.loading import Foundation

# Red, green and blue of each channel of SDXL's latents, in the scale that a denoiser sees.
_TO_RGB: Final = (
    (0.3651, 0.4232, 0.4341),
    (-0.2533, -0.0042, 0.1068),
    (0.1076, 0.1111, -0.0362),
    (-0.3165, -0.2492, -0.2188),
)
_RGB_BIAS: Final = (0.1084, -0.0175, -0.0011)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What the autoencoder says of a picture: a Gaussian over latents, (rows, 4, h, w) each."""

    mean: Tensor
    std: Tensor
    scale: float

    def sample(self, noise: Tensor) -> Tensor:
        """Draw latents with `noise` of the same shape."""
        return (self.mean + self.std * noise) * self.scale

    @property
    def mode(self) -> Tensor:
        """The likeliest latents."""
        return self.mean * self.scale

    @property
    def nbytes(self) -> int:
        """What the tensors occupy, in bytes."""
        return self.mean.nbytes + self.std.nbytes


def to_rgb(pixels: Tensor) -> NDArray[np.uint8]:
    """(rows, 3, H, W) in [-1, 1], clipped, to (rows, H, W, 3) uint8."""
    unit = (pixels / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().float().numpy()
    return np.asarray((unit * 255).round(), np.uint8)


def encode(networks: Foundation, planes: NDArray[np.float32]) -> Posterior:
    """Look at planes (rows, 3, H, W) in [-1, 1]."""
    pixels = torch.from_numpy(planes).to(networks.device, networks.vae.dtype)
    with networks.visits.of(networks.vae):
        given = networks.vae.encode(pixels).latent_dist
    return Posterior(given.mean, given.std, networks.vae.config.scaling_factor)


def decode(networks: Foundation, latents: Tensor) -> Tensor:
    """Paint latents (rows, 4, h, w): (rows, 3, H, W), around [-1, 1]."""
    given = latents.to(networks.vae.dtype) / networks.vae.config.scaling_factor
    with networks.visits.of(networks.vae):
        pixels: Tensor = networks.vae.decode(given, return_dict=False)[0]
    return pixels


def work_on_tiles(networks: Foundation, tile_px: int) -> None:
    """Have the autoencoder look and paint tile by tile; it shows as faint differences of tone."""
    networks.vae.enable_tiling()
    networks.vae.tile_sample_min_size = tile_px
    networks.vae.tile_latent_min_size = tile_px // networks.factor


def preview_rgb(latents: Tensor) -> NDArray[np.uint8]:
    """Show latents (rows, 4, h, w) as small pictures, (rows, h, w, 3) uint8, without the decoder.

    One pixel per latent cell, by the linear map from SDXL's latents to colours that ComfyUI fitted
    (comfy/latent_formats.py); noise shows, so give what a step says is clean.
    """
    factors, bias = (torch.tensor(one, device=latents.device) for one in (_TO_RGB, _RGB_BIAS))
    colours = torch.einsum("nchw,cd->ndhw", latents.float(), factors) + bias[:, None, None]
    return to_rgb(colours.nan_to_num())
