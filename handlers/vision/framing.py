"""Refuses photos in which a garment's place cannot be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.errors import Unfit
from handlers.vision.body import Body, body_from_pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST_SHOULDERS_PX: Final = 40.0
_SURE: Final = 0.5  # visibility, 0..1
_FACING: Final = 0.3  # shoulder line over torso length; less is a side view
_BEYOND: Final = 0.12  # of the torso; hips may lie this far below the picture's edge
_THIGH: Final = 0.25  # of the torso; this much below the hips has to be seen
_UPPER: Final = ("left_shoulder", "right_shoulder")
_HIPS: Final = ("left_hip", "right_hip")


def standing(pose: NDArray[np.float32] | None, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Gives back a pose of somebody whose shoulders are seen from the front.

    pose: (33, 4) float32 of x, y, z in pixels and visibility, or None; size: height, width.
    """
    if pose is None:
        raise _unfit("no_person", "nobody was found in it")
    body = body_from_pose(pose)
    _in_frame(body, _UPPER, size, "torso_cut_off", margin_px=0.0)
    across = body.joints["right_shoulder"] - body.joints["left_shoulder"]
    if across[0] < _FACING * body.torso_px:
        raise _unfit("not_facing", "the person must face the camera", landmark="shoulders")
    if np.linalg.norm(across) < _SMALLEST_SHOULDERS_PX:
        raise _unfit("person_too_small", "the person is too small in it", landmark="shoulders")
    return pose


def require_torso(body: Body, size: tuple[int, ...]) -> None:
    """An upper garment needs the torso down to the hips."""
    _in_frame(body, _HIPS, size, "torso_cut_off", margin_px=_BEYOND * body.torso_px)


def require_legs(body: Body, size: tuple[int, ...]) -> None:
    """A lower garment needs the hips and some of the thighs."""
    _in_frame(body, _HIPS, size, "legs_cut_off", margin_px=-_THIGH * body.torso_px)


def _in_frame(
    body: Body, names: tuple[str, ...], size: tuple[int, ...], reason: str, margin_px: float
) -> None:
    height, width = size[:2]
    for name in names:
        x, y = body.joints[name]
        inside = 0 <= x < width and 0 <= y < height + margin_px
        if not inside:
            words = name.replace("_", " ")
            raise _unfit(reason, f"the {words} lies outside the picture", landmark=name)
        if body.visibility[name] < _SURE and name in _UPPER:
            words = name.replace("_", " ")
            raise _unfit("landmark_uncertain", f"the {words} is not clear", landmark=name)


def _unfit(reason: str, why: str, landmark: str | None = None) -> Unfit:
    details = {"image": "person_image", "reason": reason}
    if landmark is not None:
        details["landmark"] = landmark
    return Unfit(f"person_image cannot be used: {why}", details)
