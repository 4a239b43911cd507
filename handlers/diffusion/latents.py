"""Pixels to latents and back."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from handlers.diffusion.loading import Networks


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


def to_pixels(rgb: NDArray[np.uint8]) -> Tensor:
    """(rows, H, W, 3) uint8 to (rows, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).to(torch.float32) / 255.0 * 2.0 - 1.0


def to_rgb(pixels: Tensor) -> NDArray[np.uint8]:
    """(rows, 3, H, W) in [-1, 1], clipped, to (rows, H, W, 3) uint8."""
    unit = (pixels / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().float().numpy()
    return np.asarray((unit * 255).round(), np.uint8)


def masked(pixels: Tensor, mask: Tensor) -> Tensor:
    """Grey out what is repainted; pixels: (rows, 3, H, W), mask: (rows, 1, H, W), 1 = repaint."""
    return pixels * (mask < 0.5)  # noqa: PLR2004  the middle of 0 and 1


def shrink_mask(mask: Tensor, factor: int) -> Tensor:
    """Bring (rows, 1, H, W) to the latents' size; of each square of pixels the first counts."""
    size = (mask.shape[2] // factor, mask.shape[3] // factor)
    return functional.interpolate(mask, size=size)


def encode(networks: Networks, pixels: Tensor) -> Posterior:
    """Look at pixels (rows, 3, H, W) in [-1, 1]."""
    given = networks.vae.encode(pixels.to(networks.device, networks.vae.dtype)).latent_dist
    return Posterior(given.mean, given.std, networks.vae.config.scaling_factor)


def decode(networks: Networks, latents: Tensor) -> Tensor:
    """Paint latents (rows, 4, h, w): (rows, 3, H, W), around [-1, 1]."""
    given = latents.to(networks.vae.dtype) / networks.vae.config.scaling_factor
    pixels: Tensor = networks.vae.decode(given, return_dict=False)[0]
    return pixels
