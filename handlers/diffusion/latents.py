"""Planes of pixels to latents and back."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handlers.diffusion.loading import Foundation


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
