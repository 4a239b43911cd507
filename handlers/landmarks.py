"""Finds a person in a photo: pose landmarks, person mask, number of faces.

The one module that knows MediaPipe. Its models lie inside the wheel, so nothing is downloaded.
A detector must be used by one thread at a time and must not live across a fork.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from handlers.vision.detection import Detection

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POSE_COMPLEXITY: Final = 1  # the only pose model that the wheel carries
_FULL_RANGE_FACES: Final = 1  # faces up to five metres away
_CROP_HEADS: Final = (3.2, 1.2, 8.5)  # half width, above and below, in face heights


class BodyLandmarks:
    """Pose, person mask and faces by MediaPipe's bundled models; call `close` when done."""

    def __init__(self, min_detection_confidence: float) -> None:
        import mediapipe.python.solutions.face_detection as faces  # noqa: PLC0415  heavy
        import mediapipe.python.solutions.pose as poses  # noqa: PLC0415
        import mediapipe.python.solutions.selfie_segmentation as selfies  # noqa: PLC0415

        self._pose = poses.Pose(
            static_image_mode=True,
            model_complexity=_POSE_COMPLEXITY,
            min_detection_confidence=min_detection_confidence,
        )
        self._selfie = selfies.SelfieSegmentation(model_selection=0)
        self._faces = faces.FaceDetection(
            model_selection=_FULL_RANGE_FACES, min_detection_confidence=0.5
        )

    def detect(self, rgb: NDArray[np.uint8]) -> Detection:
        """Finds the largest person; rgb: (H, W, 3) uint8."""
        boxes = self._face_boxes(rgb)
        pose = self._landmarks(rgb)
        if len(boxes) > 1:
            pose = self._largest(rgb, boxes, pose)
        mask = np.array(self._selfie.process(rgb).segmentation_mask, np.float32)
        people = max(len(boxes), 0 if pose is None else 1)
        return Detection(pose=pose, person_mask=mask, people=people)

    def close(self) -> None:
        """Frees the native graphs."""
        for graph in (self._pose, self._selfie, self._faces):
            graph.close()

    def _face_boxes(self, rgb: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
        """Boxes x0, y0, x1, y1 in pixels, the largest face first."""
        height, width = rgb.shape[:2]
        found: Any = self._faces.process(rgb).detections or []
        boxes = [d.location_data.relative_bounding_box for d in found]
        corners = [
            np.array([b.xmin, b.ymin, b.xmin + b.width, b.ymin + b.height], np.float64)
            * [width, height, width, height]
            for b in boxes
        ]
        return sorted(corners, key=lambda c: -(c[2] - c[0]) * (c[3] - c[1]))

    def _landmarks(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        found: Any = self._pose.process(np.ascontiguousarray(rgb)).pose_landmarks
        if found is None:
            return None
        height, width = rgb.shape[:2]
        return np.array(
            [(p.x * width, p.y * height, p.z * width, p.visibility) for p in found.landmark],
            np.float32,
        )

    def _largest(
        self,
        rgb: NDArray[np.uint8],
        boxes: list[NDArray[np.float64]],
        pose: NDArray[np.float32] | None,
    ) -> NDArray[np.float32] | None:
        """The pose of the person with the largest face, found again in a crop when need be."""
        x0, y0, x1, y1 = boxes[0]
        if pose is not None and x0 <= pose[0, 0] <= x1 and y0 <= pose[0, 1] <= y1:
            return pose
        height, width = rgb.shape[:2]
        side, above, below = (np.array(_CROP_HEADS) * (y1 - y0)).astype(int)
        left, right = max(0, int((x0 + x1) / 2) - side), min(width, int((x0 + x1) / 2) + side)
        top, bottom = max(0, int(y0) - above), min(height, int(y1) + below)
        cropped = self._landmarks(rgb[top:bottom, left:right])
        if cropped is not None:
            cropped[:, :2] += np.array([left, top], np.float32)
        return cropped
