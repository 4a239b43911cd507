"""What a detector of people tells the pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Detection:
    """What was seen in one photo of H x W pixels.

    pose: (33, 4) float32 of x and y in pixels, z in pixels, visibility 0..1, in BlazePose order;
    None when nobody was found. person_mask: (H, W) float32, 0..1. people: faces counted, at
    least 1 where there is a pose.
    """

    pose: NDArray[np.float32] | None
    person_mask: NDArray[np.float32]
    people: int
