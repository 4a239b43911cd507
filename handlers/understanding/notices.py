"""What a caller should know of an understanding: stable codes, a sentence each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from handlers.understanding.contract import KEYPOINTS
from handlers.vision.result import Notice

SEVERAL_PEOPLE: Final = Notice(
    "several_people", "several people were seen; the largest is understood"
)
PARSING_APPROXIMATE: Final = Notice(
    "parsing_approximate", "the labels come from colours and joints, not from a parsing network"
)
DENSEPOSE_APPROXIMATE: Final = Notice(
    "densepose_approximate", "the body's surface is drawn from joints, not seen by DensePose"
)
DENSEPOSE_MISSING: Final = Notice("densepose_missing", "DensePose saw nobody surely enough")
MASK_EMPTY: Final = Notice("mask_empty", "nothing was found that a garment of this kind replaces")
_ARMS: Final = range(2, 8)
_EDGES: Final = (("top", np.s_[0]), ("bottom", np.s_[-1]))


def of_photo(parse_map: NDArray[np.uint8], keypoints: NDArray[np.float32]) -> tuple[Notice, ...]:
    """Say which joints of the arms are missing, and where the person leaves the photo."""
    told = []
    if missing := [KEYPOINTS[i].replace("_", " ") for i in _ARMS if not keypoints[i].any()]:
        told.append(Notice("keypoints_missing", f"not found: {', '.join(missing)}"))
    sides = [name for name, row in _EDGES if parse_map[row].any()]
    sides += [name for name, at in (("left", 0), ("right", -1)) if parse_map[:, at].any()]
    if sides:
        told.append(Notice("person_cropped", f"the person leaves the photo: {', '.join(sides)}"))
    return tuple(told)
