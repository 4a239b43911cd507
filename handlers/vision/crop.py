"""The 3:4 part of a photo that a try-on works on, and the way back into the photo.

As IDM-VTON's demo crops and pastes. Pillow resizes, as its bicubic filter is part of that result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Box = tuple[float, float, float, float]

_WIDTH_TO_HEIGHT: Final = 3 / 4


def crop_box(width_px: int, height_px: int) -> Box:
    """The largest centred 3:4 box of a photo: left, top, right, bottom, perhaps at half pixels."""
    wanted_width_px = int(min(width_px, height_px * _WIDTH_TO_HEIGHT))
    wanted_height_px = int(min(height_px, width_px / _WIDTH_TO_HEIGHT))
    left, top = (width_px - wanted_width_px) / 2, (height_px - wanted_height_px) / 2
    return left, top, left + wanted_width_px, top + wanted_height_px


def whole_box(box: Box) -> tuple[int, int, int, int]:
    """The pixels that a crop of `box` takes: halves go to the even neighbour, as Pillow rounds."""
    left, top, right, bottom = (round(side) for side in box)
    return left, top, right, bottom


def cropped(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The part of a (H, W) or (H, W, 3) picture within `box`; a view, not a copy."""
    left, top, right, bottom = whole_box(box)
    return pixels[top:bottom, left:right]


def resized(pixels: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Scales (H, W) or (H, W, 3) pixels by Pillow's bicubic filter, proportions not kept."""
    size = (width_px, height_px)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def resized_labels(labels: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Scales (H, W) labels; each pixel takes the label at its centre."""
    size = (width_px, height_px)
    return np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))


def paste_back(
    photo: NDArray[np.uint8], generated: NDArray[np.uint8], box: Box, *, aligned: bool = True
) -> NDArray[np.uint8]:
    """A copy of `photo` with `generated`, of any size, in the place of what `box` had taken.

    photo, generated: (H, W, 3) uint8. aligned: exactly there; without it, half a pixel of the box
    is cut off in place of rounded, as in the original, which shifts such a picture by one pixel.
    """
    left, top, right, bottom = whole_box(box)
    width_px, height_px = right - left, bottom - top
    if not aligned:
        left, top = int(box[0]), int(box[1])
    result = photo.copy()
    result[top : top + height_px, left : left + width_px] = resized(generated, width_px, height_px)
    return result
