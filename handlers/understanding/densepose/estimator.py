"""The surface parts of the largest person of a photo."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from handlers.understanding.densepose import checkpoint
from handlers.understanding.densepose.heads import Found, Wanted
from handlers.understanding.densepose.network import InputSize
from handlers.vision import densepose_picture

_PUBLISHED_INPUT: Final = InputSize()


class DensePoseEstimator:
    """A SurfaceEstimator from a published checkpoint; one thread at a time."""

    def __init__(
        self,
        file: Path,
        min_score: float,
        device: str,
        input_size: InputSize = _PUBLISHED_INPUT,
    ) -> None:
        """Load the checkpoint; raises BadCheckpoint."""
        self._network = checkpoint.load(file, input_size, device)
        self._wanted = Wanted(min_score, only_largest=True)

    def parts(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the (H, W) part numbers 1..24 of the largest person, 0 elsewhere.

        The original paints everybody and wipes the frame before each, which leaves the least
        certain person; the largest is the one to dress.
        """
        (found,) = self._network([rgb], self._wanted)
        if not len(found.boxes):
            return np.zeros(rgb.shape[:2], np.uint8)
        corner = found.boxes[0, :2].tolist()
        return densepose_picture.placed(part_labels(found, 0), corner, rgb.shape)


def part_labels(found: Found, index: int) -> NDArray[np.uint8]:
    """Give one person's (h, w) part numbers, over the whole pixels of the box."""
    width, height = (found.boxes[index, 2:] - found.boxes[index, :2]).int().clamp(min=1).tolist()

    def likeliest(logits: Tensor) -> Tensor:
        fitted = functional.interpolate(
            logits[index : index + 1], (height, width), mode="bilinear", align_corners=False
        )
        return fitted[0].argmax(0)

    parts = likeliest(found.fine) * (likeliest(found.coarse) > 0)
    return parts.to(torch.uint8).numpy(force=True)
