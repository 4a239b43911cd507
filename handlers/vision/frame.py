"""The frame that a network works in, as a part of the photo it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from handlers.vision import crop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """A photo (H, W, 3) uint8, the box of it that is worked on, the size it is worked on in."""

    photo: NDArray[np.uint8]
    box: crop.Box
    width_px: int
    height_px: int

    @classmethod
    def of(
        cls, photo: NDArray[np.uint8], width_px: int, height_px: int, *, auto_crop: bool
    ) -> Self:
        """Take the largest centred 3:4 box, or the whole photo, whose proportions then suffer."""
        height, width = photo.shape[:2]
        box = crop.crop_box(width, height) if auto_crop else (0.0, 0.0, width, height)
        return cls(photo, box, width_px, height_px)

    def view(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Show a (h, w) or (h, w, 3) picture of the whole photo, of any size, as the network's."""
        height, width = self.photo.shape[:2]
        whole = (
            picture
            if picture.shape[:2] == (height, width)
            else crop.resized(picture, width, height)
        )
        return crop.resized(crop.cropped(whole, self.box), self.width_px, self.height_px)

    def paste(self, generated: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the photo with a (height, width, 3) picture of the network in the box's place."""
        return crop.paste_back(self.photo, generated, self.box)
