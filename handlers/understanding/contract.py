"""What the understanding of a person is made of, and the ports that the nets behind it fill.

Photos are (H, W, 3) uint8 RGB; whatever a port returns lies in the frame of the photo it was given.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from handlers.vision.result import Notice

PARSE_LABELS: Final = (
    "background",
    "hat",
    "hair",
    "sunglasses",
    "upper_clothes",
    "skirt",
    "pants",
    "dress",
    "belt",
    "left_shoe",
    "right_shoe",
    "face",
    "left_leg",
    "right_leg",
    "left_arm",
    "right_arm",
    "bag",
    "scarf",
    "neck",
)
"""Names of the labels 0..18: the 18 of the ATR data set, and 18 = neck."""

KEYPOINTS: Final = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
"""Names of the 18 key points in OpenPose's order; left and right are the person's own."""


class Parser(Protocol):
    """Says what every pixel shows."""

    def parse(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the (H, W) labels 0..18 of PARSE_LABELS."""
        ...


class PoseEstimator(Protocol):
    """Finds the joints of the largest person."""

    def keypoints(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (18, 3): x and y in pixels, confidence 0..1; (0, 0, 0) is a missing point."""
        ...


class SurfaceEstimator(Protocol):
    """Says which part of the largest person's skin every pixel shows, clothes thought away."""

    def parts(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the (H, W) DensePose part numbers 1..24, 0 where nobody is."""
        ...


class PersonDetector(Protocol):
    """Finds people."""

    def people(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (N, 5): x0, y0, x1, y1 in pixels and score 0..1, the largest person first."""
        ...


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """Which model answered for a part, and on what terms its weights may be used."""

    part: str
    name: str
    licence: str
    commercial_use: bool


@dataclass(frozen=True, slots=True)
class Understanding:
    """One person in one photo of H x W pixels.

    parse_map: (H, W) uint8, PARSE_LABELS; keypoints: (18, 3) float32 in KEYPOINTS' order, x and y
    in pixels and confidence, (0, 0, 0) = missing; densepose_parts: (H, W) uint8, 0..24.
    """

    parse_map: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    densepose_parts: NDArray[np.uint8]
    warnings: tuple[Notice, ...]
    models: tuple[ModelUsed, ...]

    @property
    def nbytes(self) -> int:
        """What the arrays occupy, in bytes."""
        return self.parse_map.nbytes + self.keypoints.nbytes + self.densepose_parts.nbytes
