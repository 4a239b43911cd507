"""The body as straight lines: joints, scale and axes from pose landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Point = NDArray[np.float64]
    Polyline = NDArray[np.float64]

Side = Literal["left", "right"]
SIDES: Final[tuple[Side, Side]] = ("left", "right")

# BlazePose numbers; "left" is the left of the picture, which is the person's right
_JOINTS: Final[dict[str, int]] = {
    "nose": 0,
    "left_eye": 5,
    "right_eye": 2,
    "left_ear": 8,
    "right_ear": 7,
    "left_mouth": 10,
    "right_mouth": 9,
    "left_shoulder": 12,
    "right_shoulder": 11,
    "left_elbow": 14,
    "right_elbow": 13,
    "left_wrist": 16,
    "right_wrist": 15,
    "left_pinky": 18,
    "right_pinky": 17,
    "left_index": 20,
    "right_index": 19,
    "left_hip": 24,
    "right_hip": 23,
    "left_knee": 26,
    "right_knee": 25,
    "left_ankle": 28,
    "right_ankle": 27,
    "left_heel": 30,
    "right_heel": 29,
    "left_toes": 32,
    "right_toes": 31,
}
_MIN_SHOULDER_TO_TORSO: Final = 0.55  # seen from the side the shoulders look narrow


@dataclass(frozen=True, slots=True)
class Body:
    """Joints in pixels and the frame of the torso.

    across and down: unit vectors half way between the lines of shoulders and hips (to the right of
    the picture) and along the spine (to the feet). scale_px: the distance of the shoulder joints,
    with a floor for people seen from the side. torso_px: shoulder line to hip line.
    """

    joints: dict[str, Point]
    visibility: dict[str, float]
    shoulders: Point
    hips: Point
    across: Point
    down: Point
    scale_px: float
    torso_px: float

    def at(self, u: float, v: float) -> Point:
        """The pixel u shoulder widths across and v torso lengths down from mid shoulders."""
        return self.shoulders + self.across * (u * self.scale_px) + self.down * (v * self.torso_px)

    def joint(self, side: Side, name: str) -> Point:
        """A paired joint, e.g. ("left", "elbow")."""
        return self.joints[f"{side}_{name}"]

    def arm(self, side: Side) -> Polyline:
        """Shoulder, elbow, wrist: (3, 2)."""
        return np.array([self.joint(side, n) for n in ("shoulder", "elbow", "wrist")])

    def leg(self, side: Side) -> Polyline:
        """Hip, knee, ankle: (3, 2)."""
        return np.array([self.joint(side, n) for n in ("hip", "knee", "ankle")])

    def fingertips(self, side: Side) -> Point:
        """Where the hand ends, beyond the knuckles that the pose knows."""
        wrist = self.joint(side, "wrist")
        knuckles = (self.joint(side, "index") + self.joint(side, "pinky")) / 2
        return wrist + (knuckles - wrist) * 1.9

    def eye_distance_px(self) -> float:
        """Between the eyes, with a floor for a face in profile."""
        eyes = self.joints["left_eye"] - self.joints["right_eye"]
        return max(float(np.linalg.norm(eyes)), 0.12 * self.scale_px)

    def mouth(self) -> Point:
        """The middle of the mouth."""
        return (self.joints["left_mouth"] + self.joints["right_mouth"]) / 2

    def eyes(self) -> Point:
        """The middle of the eyes."""
        return (self.joints["left_eye"] + self.joints["right_eye"]) / 2

    def chin(self) -> Point:
        """The tip of the chin, as far below the mouth as faces usually have it."""
        return self.mouth() + (self.mouth() - self.eyes()) * 0.85


def body_from_pose(pose: NDArray[np.float32]) -> Body:
    """Builds the frame; pose: (33, 4) float32 of x, y, z in pixels and visibility 0..1."""
    joints = {name: pose[i, :2].astype(np.float64) for name, i in _JOINTS.items()}
    shoulders = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    hips = (joints["left_hip"] + joints["right_hip"]) / 2
    spine = hips - shoulders
    torso_px = float(np.linalg.norm(spine)) + 1e-6
    line = joints["right_shoulder"] - joints["left_shoulder"]
    width = float(np.linalg.norm(line)) + 1e-6
    hip_line = joints["right_hip"] - joints["left_hip"]
    level = line / width + hip_line / (float(np.linalg.norm(hip_line)) + 1e-6)
    return Body(
        joints=joints,
        visibility={name: float(pose[i, 3]) for name, i in _JOINTS.items()},
        shoulders=shoulders,
        hips=hips,
        across=level / (float(np.linalg.norm(level)) + 1e-6),
        down=spine / torso_px,
        scale_px=max(width, _MIN_SHOULDER_TO_TORSO * torso_px),
        torso_px=torso_px,
    )


def capsules(
    shape: tuple[int, ...], line: Polyline | list[Point], radii_px: list[float]
) -> NDArray[np.bool_]:
    """Fills a chain of tapering capsules: (H, W) bool; radii_px: one radius for each point."""
    canvas = np.zeros(shape[:2], np.uint8)
    for (a, ra), (b, rb) in zip(
        list(zip(line, radii_px, strict=True))[:-1],
        list(zip(line, radii_px, strict=True))[1:],
        strict=True,
    ):
        length = float(np.linalg.norm(b - a))
        steps = max(2, int(length / max(1.0, min(ra, rb) * 0.3)))
        for t in np.linspace(0, 1, steps):
            x, y = a + (b - a) * t
            cv2.circle(canvas, (round(x), round(y)), max(1, round(ra + (rb - ra) * t)), 255, -1)
    return canvas > 0


def polygon(shape: tuple[int, ...], points: list[Point] | Polyline) -> NDArray[np.bool_]:
    """Fills a polygon given in pixels: (H, W) bool."""
    canvas = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(canvas, [np.round(np.asarray(points)).astype(np.int32)], 255)
    return canvas > 0


def closed(mask: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    """Closes gaps narrower than twice the radius, worked out small enough to be quick."""
    shrink = max(1, int(radius_px / 8))
    height, width = mask.shape
    small = cv2.resize(
        mask.astype(np.uint8), (width // shrink, height // shrink), interpolation=cv2.INTER_NEAREST
    )
    size = 2 * max(1, int(radius_px / shrink)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    joined = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel).astype(np.float32)
    large = cv2.resize(joined, (width, height), interpolation=cv2.INTER_LINEAR)
    return mask | (large > 0.5)
