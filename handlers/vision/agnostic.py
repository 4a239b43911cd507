"""The agnostic mask: where a try-on may repaint a person, given labels and key points.

After IDM-VTON's mask, whose results it gives pixel by pixel with `guarded=False`; arms are drawn
by Pillow because its thick polylines are part of that result. Sizes in pixels are told for a frame
of 384 x 512 and grow with the height of any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

Category = Literal["upper_body", "lower_body", "dresses"]

_HAT, _SUNGLASSES, _UPPER, _SKIRT, _TROUSERS, _DRESS = 1, 3, 4, 5, 6, 7
_LEFT_SHOE, _RIGHT_SHOE, _FACE, _LEFT_LEG, _RIGHT_LEG = 9, 10, 11, 12, 13
_LEFT_ARM, _RIGHT_ARM, _BAG, _NECK = 14, 15, 16, 18
_HEAD: Final = (_HAT, _SUNGLASSES, _FACE)
_FIXED: Final = (_LEFT_SHOE, _RIGHT_SHOE, _HAT, _SUNGLASSES, _BAG)
_FRAME_HEIGHT_PX: Final = 512
_MISSING_PX: Final = 1.0  # a key point this near to the corner is none
_REACH: Final = 1.2  # lower arms, of elbow to wrist: the key point lies before the cuff
_SQUARE: Final = np.ones((5, 5), np.uint8)
_GARMENT_ROUNDS, _ARM_ROUNDS, _NECK_ROUNDS = 5, 4, 1


@dataclass(frozen=True, slots=True)
class _Regions:
    """Labels to repaint and labels to keep beyond those that every category keeps."""

    garment: tuple[int, ...]
    kept: tuple[int, ...]
    arms: bool


_REGIONS: Final[dict[str, _Regions]] = {
    "upper_body": _Regions((_UPPER, _DRESS), (_SKIRT, _TROUSERS), arms=True),
    "lower_body": _Regions(
        (_TROUSERS, _LEFT_LEG, _RIGHT_LEG, _SKIRT), (_UPPER, _LEFT_ARM, _RIGHT_ARM), arms=False
    ),
    "dresses": _Regions((_DRESS, _UPPER, _SKIRT, _TROUSERS), (), arms=True),
}
_SIDES: Final = ((_RIGHT_ARM, slice(2, 5), 1), (_LEFT_ARM, slice(5, 8), -1))
"""The label of each arm, its shoulder, elbow and wrist among the key points, and where its line
begins: 1 at the shoulder, -1 at the wrist, as a line of even width lies half a pixel aside.
"""


def agnostic_mask(
    parse_map: NDArray[np.uint8],
    keypoints: NDArray[np.float32],
    category: Category,
    arm_width_px: int,
    *,
    guarded: bool = True,
) -> NDArray[np.bool_]:
    """The (H, W) pixels to repaint for a garment of `category`.

    parse_map: (H, W) uint8, labels 0..18; keypoints: (18, 2 or 3) in OpenPose's order, x and y in
    its pixels, zeros where one is missing; arm_width_px: how wide an arm is drawn in a frame 512
    high (60 for weights trained on VITON-HD, 45 for DressCode's). guarded: an arm with a missing
    shoulder or elbow is taken from the labels, and one that leaves the frame is drawn as it is;
    without it, the arm runs to the picture's corner and negative coordinates wrap, as originally.
    """
    chosen = _REGIONS[category]
    head = np.isin(parse_map, _HEAD)
    fixed = np.isin(parse_map, _FIXED + chosen.kept)
    changeable = ~fixed  # hair, scarf, belt and scene: what lies around a garment
    region = _dilated(np.isin(parse_map, chosen.garment), _GARMENT_ROUNDS)
    if chosen.arms:
        width_px = int(arm_width_px / _FRAME_HEIGHT_PX * parse_map.shape[0])
        arms, hands = _arms(parse_map, keypoints, width_px, guarded=guarded)
        fixed |= hands
        region |= _dilated(arms, _ARM_ROUNDS)
        region |= _dilated(parse_map == _NECK, _NECK_ROUNDS) & ~head
    keep = (changeable & ~region) | fixed | head
    return _largest_piece(_without_holes(~keep))


def _arms(
    parse_map: NDArray[np.uint8], keypoints: NDArray[np.float32], width_px: int, *, guarded: bool
) -> tuple[Mask, Mask]:
    """Both arms to repaint and the hands to keep: two (H, W) bool."""
    arms, hands = np.zeros(parse_map.shape, bool), np.zeros(parse_map.shape, bool)
    for label, joints, begin in _SIDES:
        line = np.asarray(keypoints, np.float64)[joints, :2]
        seen = parse_map == label
        missing = (line <= _MISSING_PX).all(1)
        if missing[2] or (guarded and missing.any()):
            arms |= seen
            continue
        reached = _reaching(line, wrapped=not guarded)
        drawn = _drawn_arm(seen.shape, reached[::begin], width_px)
        drawn = drawn | _drawn_shoulder(seen.shape, line[0], width_px // 2)
        arms |= drawn
        hands |= seen & ~drawn
    return arms, hands


def _reaching(line: NDArray[np.float64], *, wrapped: bool) -> NDArray[np.int64]:
    """Shoulder, elbow and a point past the wrist, in whole pixels: (3, 2)."""
    shoulder, elbow, wrist = line
    whole = np.array([shoulder, elbow, elbow + _REACH * (wrist - elbow)]).astype(np.int64)
    return whole & 0xFFFF if wrapped else whole


def _drawn_arm(shape: tuple[int, ...], line: NDArray[np.int64], width_px: int) -> Mask:
    canvas = Image.new("1", (shape[1], shape[0]))
    points = [(int(x), int(y)) for x, y in line]
    ImageDraw.Draw(canvas).line(points, fill=1, width=width_px, joint="curve")
    return np.asarray(canvas, bool)


def _drawn_shoulder(shape: tuple[int, ...], joint: NDArray[np.float64], radius_px: int) -> Mask:
    canvas = Image.new("1", (shape[1], shape[0]))
    around = [*(joint - radius_px), *(joint + radius_px)]
    ImageDraw.Draw(canvas).arc(around, 0, 360, fill=1, width=radius_px)
    return np.asarray(canvas, bool)


def _dilated(mask: Mask, rounds: int) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), _SQUARE, iterations=rounds) > 0


def _without_holes(mask: Mask) -> Mask:
    """Fills what the border cannot reach; the outermost pixels are never part of a mask."""
    inner = mask.astype(np.uint8)
    inner[[0, -1]] = 0
    inner[:, [0, -1]] = 0
    outside = inner.copy()
    cv2.floodFill(outside, None, (0, 0), 1)
    return (inner > 0) | (outside == 0)


def _largest_piece(mask: Mask) -> Mask:
    """The piece whose outline encloses most, filled."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    canvas = np.zeros(mask.shape, np.uint8)
    if outlines:
        areas = [abs(cv2.contourArea(one, oriented=True)) for one in outlines]
        cv2.drawContours(canvas, outlines, int(np.argmax(areas)), 1, thickness=-1)
    return canvas > 0
