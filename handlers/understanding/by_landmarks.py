"""The understanding of a person by MediaPipe's bundled models and the embedded engine's geometry.

It fills the same ports as the networks do, everywhere and at no cost; what it says of the body's
surface is drawn, not seen.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from handlers.landmarks import BodyLandmarks
from handlers.loader import Loader
from handlers.understanding.contract import KEYPOINTS
from handlers.understanding.latest import Latest
from handlers.vision import keypoints as orders
from handlers.vision import person
from handlers.vision.body_labels import parse_map
from handlers.vision.detection import Detection
from handlers.vision.surface_parts import surface_parts

# Where COCO's 17 points stand in BlazePose's order.
_COCO: Final = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_ROOM: Final = 0.15  # of a body's extent, around its joints


class LandmarkUnderstanding:
    """Fills every port, for the largest person.

    One photo asked about through several ports is looked at once; any number of threads may ask.
    """

    def __init__(self, landmarks: Loader[BodyLandmarks], min_score: float) -> None:
        """Take the detector, loaded when it is first needed, and what makes a point seen, 0..1."""
        self._landmarks, self._min_score = landmarks, min_score
        self._detections: Latest[Detection] = Latest()
        self._persons: Latest[person.Person] = Latest()

    def parse(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give (H, W) labels 0..18; raises Unfit where nobody stands who could be dressed."""
        return parse_map(self._person(rgb))

    def parts(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give (H, W) part numbers, approximately; raises Unfit as `parse` does."""
        return surface_parts(self._person(rgb))

    def keypoints(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (18, 3); a point outside the photo, which MediaPipe guesses, is missing."""
        pose = self._detection(rgb).pose
        if pose is None:
            return np.zeros((len(KEYPOINTS), 3), np.float32)
        height_px, width_px = rgb.shape[:2]
        points, scores = pose[_COCO, :2], pose[_COCO, 3].copy()
        scores[((points < 0) | (points >= (width_px, height_px))).any(1)] = 0
        return orders.from_coco(points, scores, self._min_score)

    def people(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (1, 5), the largest person's box as joints tell it, or (0, 5)."""
        pose = self._detection(rgb).pose
        if pose is None:
            return np.zeros((0, 5), np.float32)
        height_px, width_px = rgb.shape[:2]
        low, high = pose[:, :2].min(0), pose[:, :2].max(0)
        room = _ROOM * (high - low)
        corners = np.clip([low - room, high + room], 0, (width_px, height_px))
        return np.array([[*corners.ravel(), pose[:, 3].mean()]], np.float32)

    def count(self, rgb: NDArray[np.uint8]) -> int:
        """Give how many people are in the photo, as far as their faces show."""
        return self._detection(rgb).people

    def _detection(self, rgb: NDArray[np.uint8]) -> Detection:
        return self._detections.get(rgb, lambda: self._landmarks.get().detect(rgb))

    def _person(self, rgb: NDArray[np.uint8]) -> person.Person:
        return self._persons.get(rgb, lambda: person.analyse(rgb, self._detection(rgb)))
