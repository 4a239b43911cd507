"""Random numbers from seeds: one generator per picture, so that company changes nothing.

They are drawn on the CPU, whatever the device, and so a seed means the same picture everywhere.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from handlers.diffusion.denoising import Purpose

_SEED_BYTES = 7  # below 2**63, which a generator takes


class SeededNoise:
    """Implements the denoiser's Noise: picture i is drawn from `seeds[i]`.

    The original draws the DensePose latents from the process's global generator, so that its
    pictures depend on what ran before. Here they have a generator of their own, seeded by
    `pose_seeds[i]`; the other draws keep the original's order and numbers.
    """

    def __init__(self, seeds: Sequence[int], pose_seeds: Sequence[int] | None = None) -> None:
        poses = pose_seeds or [derived_seed(seed) for seed in seeds]
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._poses = [torch.Generator().manual_seed(seed) for seed in poses]

    def draw(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        """Give standard normal float32 numbers of `shape`, (rows, 4, h, w)."""
        generators = self._poses if purpose == "densepose" else self._generators
        one = (1, *shape[1:])
        return torch.cat([torch.randn(one, generator=generator) for generator in generators])


def derived_seed(seed: int) -> int:
    """Give the seed of the DensePose latents that belongs to a picture's `seed`."""
    digest = hashlib.sha256(f"densepose {seed}".encode()).digest()
    return int.from_bytes(digest[:_SEED_BYTES])
