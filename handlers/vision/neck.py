"""The neck, which the ATR labels count as face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FACE, _NECK = 11, 18
_NOSE, _NECK_POINT = 0, 1
_CHIN: Final = 0.55  # of the way from the nose to the middle of the shoulders


def with_neck(labels: NDArray[np.uint8], keypoints: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Labels with the face's lower end as neck: what lies beyond the chin, seen from the nose.

    labels: (H, W) 0..17; keypoints: (18, 2 or more) in OpenPose's order, x and y in pixels, 0 and 0
    where missing. Without nose or shoulders the labels stay as they are. Gives a new array.
    """
    nose, neck = keypoints[_NOSE, :2], keypoints[_NECK_POINT, :2]
    result = labels.copy()
    if not (nose.any() and neck.any()):
        return result
    axis = (neck - nose).astype(np.float64)
    y, x = np.nonzero(labels == _FACE)
    beyond = (x - nose[0]) * axis[0] + (y - nose[1]) * axis[1] > _CHIN * (axis @ axis)
    result[y[beyond], x[beyond]] = _NECK
    return result
