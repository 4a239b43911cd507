"""COCO's 17 key points as OpenPose's 18."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEYPOINTS: Final = 18
_NECK: Final = 1
_COCO_SHOULDERS: Final = (5, 6)
# Where OpenPose's points stand in COCO's order: nose, (neck), right arm, left arm, right leg,
# left leg, right and left eye, right and left ear. COCO names the left one first.
_FROM_COCO: Final = (0, 0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)


def from_coco(
    points: NDArray[np.floating[Any]], scores: NDArray[np.floating[Any]], min_score: float
) -> NDArray[np.float32]:
    """Gives (18, 3) of x, y and confidence; (0, 0, 0) for a point that scores below min_score.

    points: (17, 2) in COCO's order; scores: (17,). COCO knows no neck: it is the middle of the
    shoulders, as sure as the less sure of them.
    """
    found = np.column_stack([points, np.clip(scores, 0, 1)]).astype(np.float32)
    shoulders = found[list(_COCO_SHOULDERS)]
    result = found[list(_FROM_COCO)]
    result[_NECK] = (*shoulders[:, :2].mean(0), shoulders[:, 2].min())
    result[result[:, 2] < min_score] = 0
    return result
