"""One person understood, by whichever models the settings chose; photos are remembered."""

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handlers.cache import Counters, LruCache, content_key
from handlers.errors import Unfit
from handlers.stages import Stages
from handlers.understanding import notices, parts
from handlers.understanding.contract import Understanding
from handlers.understanding.settings import UnderstandingSettings
from handlers.vision.neck import with_neck
from handlers.vision.result import Notice

_ROOM: Final = 0.05  # of a person's box, around it


class Analyst:
    """Answers with parse map, key points and surface parts of the largest person."""

    def __init__(self, settings: UnderstandingSettings) -> None:
        """Load every part that has a path.

        Raises BadCheckpoint naming the file, BadSetting naming the setting that is wrong.
        """
        self._parts = parts.assemble(settings)
        self._capacity_bytes = settings.cache_bytes
        self._max_age_s = settings.cache_max_age_s
        self.forget()

    def understand(
        self,
        rgb: NDArray[np.uint8],
        stages: Stages | None = None,
        of: Collection[str] = (),
    ) -> Understanding:
        """Give what `look` gives, wherever it comes from."""
        return self.look(rgb, stages, of)[0]

    def look(
        self,
        rgb: NDArray[np.uint8],
        stages: Stages | None = None,
        of: Collection[str] = (),
    ) -> tuple[Understanding, bool]:
        """Understand a (H, W, 3) photo, and tell whether it had been before.

        `of` names the picture as it came in. Stages `pose` and `segmentation` are timed. Raises
        Unfit for a photo without a person who could be dressed.
        """
        return self._seen.get_or_compute(
            content_key(rgb), lambda: self._understood(rgb, stages), of
        )

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop what was understood of these pictures; how many entries it was."""
        return self._seen.forget(pictures)

    def sweep(self) -> None:
        """Drop what is too old."""
        self._seen.sweep()

    def forget(self) -> None:
        """Remember nothing, and count anew."""
        self._seen: LruCache[Understanding] = LruCache(self._capacity_bytes, self._max_age_s)

    def counters(self) -> Counters:
        """Give the counters of what is remembered."""
        return self._seen.counters()

    def _understood(self, rgb: NDArray[np.uint8], stages: Stages | None) -> Understanding:
        with _timed(stages, "pose"):
            points = self._parts.pose.keypoints(rgb)
            if not points.any():
                raise Unfit(
                    "person_image cannot be used: nobody was found in it",
                    {"image": "person_image", "reason": "no_person"},
                )
        with _timed(stages, "segmentation"):
            labels = self._labels(rgb, points)
            surface = self._parts.surface.parts(rgb)
        told = (*self._notices(rgb), *notices.of_photo(labels, points))
        if not surface.any():
            told = (*told, notices.DENSEPOSE_MISSING)
        return Understanding(labels, points, surface, told, self._parts.models)

    def _labels(self, rgb: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
        labels = self._parts.parser.parse(rgb)
        if not self._parts.knows_neck:
            labels = with_neck(labels, points)
        people = self._parts.detector.people(rgb)
        return labels if len(people) < 2 else _within(labels, people[0, :4])  # noqa: PLR2004

    def _notices(self, rgb: NDArray[np.uint8]) -> tuple[Notice, ...]:
        told = []
        if self._count(rgb) > 1:
            told.append(notices.SEVERAL_PEOPLE)
        if self._parts.is_bundled("parser"):
            told.append(notices.PARSING_APPROXIMATE)
        if self._parts.is_bundled("surface"):
            told.append(notices.DENSEPOSE_APPROXIMATE)
        return tuple(told)

    def _count(self, rgb: NDArray[np.uint8]) -> int:
        if self._parts.is_bundled("detector"):
            return self._parts.bundled.count(rgb)
        return len(self._parts.detector.people(rgb))


def _within(labels: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Forget what lies outside a person's box x0, y0, x1, y1: somebody else."""
    height_px, width_px = labels.shape
    room = _ROOM * (box[2:] - box[:2])
    x0, y0 = np.clip(box[:2] - room, 0, (width_px, height_px)).astype(int)
    x1, y1 = np.clip(box[2:] + room, 0, (width_px, height_px)).astype(int)
    result = np.zeros_like(labels)
    result[y0:y1, x0:x1] = labels[y0:y1, x0:x1]
    return result


def _timed(stages: Stages | None, name: str) -> AbstractContextManager[None]:
    return nullcontext() if stages is None else stages.stage(name)
