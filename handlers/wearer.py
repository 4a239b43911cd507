"""The person to dress: found in the photo, then understood. This is what the cache keeps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlers.errors import Unfit
from handlers.landmarks import BodyLandmarks
from handlers.stages import Stages
from handlers.vision import person
from handlers.vision.result import Notice

_SEVERAL = Notice("several_people", "several people are in the photo; the largest is dressed")


@dataclass(frozen=True, slots=True)
class Wearer:
    """One person of a photo, and what its finding gave to remark."""

    person: person.Person
    warnings: tuple[Notice, ...]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.person.nbytes


def find(photo: NDArray[np.uint8], landmarks: BodyLandmarks, stages: Stages) -> Wearer:
    """Find and understand the largest person of a (H, W, 3) uint8 RGB photo.

    Raises Unfit where nobody is seen.
    """
    with stages.stage("pose"):
        seen = landmarks.detect(photo)
    if seen.pose is None:
        raise Unfit(
            "Nobody was found in the person photo.",
            {"image": "person_image", "reason": "no_person"},
        )
    with stages.stage("segmentation"):
        analysed = person.analyse(photo, seen.pose, seen.person_mask)
    return Wearer(analysed, (_SEVERAL,) if seen.people > 1 else ())
