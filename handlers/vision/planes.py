"""Pictures as the planes that a latent diffusion network reads: (channels, H, W) float32.

As diffusers' VaeImageProcessor prepares them; Pillow resizes, as its filter is part of the result.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Planes: TypeAlias = NDArray[np.float32]
_REPAINT: Final = 0.5


def image_planes(rgb: NDArray[np.uint8], width_px: int, height_px: int) -> Planes:
    """A (h, w, 3) picture at the wished size: (3, H, W), -1..1."""
    return _unit(rgb, width_px, height_px).transpose(2, 0, 1) * 2 - 1


def mask_plane(mask: NDArray[np.uint8], width_px: int, height_px: int) -> Planes:
    """A (h, w) mask, 0..255, at the wished size: (1, H, W), 1 where it is half white or more."""
    return (_unit(mask, width_px, height_px) >= _REPAINT).astype(np.float32)[None]


def masked_planes(image: Planes, mask: Planes) -> Planes:
    """The (3, H, W) image with what the (1, H, W) mask repaints at mid grey, which is 0."""
    return image * (mask < _REPAINT)


def latent_mask(mask: Planes, factor: int) -> Planes:
    """The (..., H, W) mask at the latents' size: each latent takes the first of its pixels."""
    return mask[..., ::factor, ::factor]


def grey_preview(image: Planes, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The (3, H, W) image with an (H, W) mask, 0..255, as grey: (H, W, 3) uint8, for people."""
    shown = image * (1 - mask.astype(np.float32) / 255)
    return ((shown + 1) / 2 * 255).astype(np.uint8).transpose(1, 2, 0)


def _unit(pixels: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.float32]:
    sized = Image.fromarray(pixels).resize((width_px, height_px), Image.Resampling.LANCZOS)
    return np.asarray(sized, np.float32) / 255
