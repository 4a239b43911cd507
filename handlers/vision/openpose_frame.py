"""Into OpenPose's network and out of it: the picture it sees, its coarse fields at full size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.floating[Any]]

_STRIDE_PX: Final = 8
_SEEN_HEIGHT_PX: Final = 184  # half of what the network was trained on
_MAX_SEEN_WIDTH_PX: Final = 368
_ROUNDING: Final = 1e-6
_GREY: Final = 128


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels that joints are told in, and the part of the network's input that shows them."""

    width_px: int
    height_px: int
    seen_width_px: int
    seen_height_px: int

    @classmethod
    def of(cls, width_px: int, height_px: int) -> Frame:
        """The frame of a picture of this size, which the network sees 184 px high.

        A picture more than twice as wide as high is seen lower, or it would need any memory.
        """
        scale = min(_SEEN_HEIGHT_PX / height_px, _MAX_SEEN_WIDTH_PX / width_px)
        seen = (int(side * scale + _ROUNDING) for side in (width_px, height_px))
        return cls(width_px, height_px, *(max(1, side) for side in seen))

    def network_input(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A (H, W, 3) picture as (1, 3, h, w) BGR planes, -0.5..0.5, padded to the stride."""
        size = (self.seen_width_px, self.seen_height_px)
        bgr = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)[..., ::-1]
        below, right = -self.seen_height_px % _STRIDE_PX, -self.seen_width_px % _STRIDE_PX
        padded = np.pad(bgr, ((0, below), (0, right), (0, 0)), constant_values=_GREY)
        return padded.transpose(2, 0, 1)[None].astype(np.float32) / 256 - 0.5

    def fitted(self, field: Field) -> Field:
        """Stretches (C, h, w) outputs of the network over the frame: (C, H, W)."""
        return np.stack([self._stretched(plane.astype(np.float32)) for plane in field])

    def _stretched(self, plane: Field) -> Field:
        height, width = (_STRIDE_PX * side for side in plane.shape)
        whole = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LANCZOS4)
        seen = whole[: self.seen_height_px, : self.seen_width_px]
        size = (self.width_px, self.height_px)
        return cv2.resize(seen, size, interpolation=cv2.INTER_LANCZOS4)
