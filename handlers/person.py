"""What a photo says of a person, behind TorchServe: mask, parse map, key points, body surface.

TorchServe imports this file by itself, as the top-level module `person`, and wants exactly one
class in it.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib import resources
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers import images, samples
from handlers.base import ImageHandler, Outcome
from handlers.forgetting import part_digest
from handlers.request import PersonParams, PersonRequest
from handlers.stages import Stages
from handlers.understanding import notices
from handlers.understanding.analyst import Analyst
from handlers.understanding.contract import KEYPOINTS, PARSE_LABELS, Understanding
from handlers.understanding.settings import PersonSettings
from handlers.vision import densepose_picture, whole_photo
from handlers.vision.agnostic import Category, agnostic_mask
from handlers.vision.frame import Frame

_PICTURES: Final = ("mask", "parse_map", "densepose")


class PersonHandler(ImageHandler[PersonRequest]):
    """Understands the largest person of a photo and says what a try-on would repaint."""

    request_type = PersonRequest
    stages = ("pose", "segmentation", "encode")
    settings: PersonSettings

    def load(self) -> None:
        """Load every part that has a path; raises BadCheckpoint or BadSetting."""
        cv2.setNumThreads(self.settings.opencv_threads)
        self._analyst = Analyst(self.settings.understanding)

    def warm_up(self) -> None:
        """Analyse the shipped person as often as configured, then forget it."""
        shipped = resources.files(samples).joinpath("person.jpg").read_bytes()
        for _ in range(self.settings.warm_up_rounds):
            request = PersonRequest(PersonParams(self.offer.names()["category"][0]), shipped)
            self.run(request, Stages((), lambda *_: None))
            self._analyst.forget()

    def run(self, request: PersonRequest, stages: Stages) -> Outcome:
        """Understand one photo; raises HandlerError for a picture that does not serve."""
        with stages.stage("decode"):
            frame = self._frame(request)
        part = part_digest(request.person_image)
        understood, hit = self._analyst.look(frame.view(frame.photo), stages, (part,))
        category = request.params.category
        with stages.stage("encode"):
            mask = self._mask(understood, category)
            pictures = self._pictures(frame, understood, mask)
        told = _told(frame, understood)
        if not mask.any():
            told["warnings"].append(asdict(notices.MASK_EMPTY))
        cache = {"person": "hit" if hit else "miss"}
        return Outcome(pictures, {"category": category, **told, "cache": cache}, _PICTURES)

    def gauges(self) -> Mapping[str, float]:
        """Give the counters of the photos remembered."""
        return self._analyst.counters().gauges("person")

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop what was understood of these photos; how many entries it was."""
        return self._analyst.forget_pictures(pictures)

    def sweep(self) -> None:
        """Drop what is too old."""
        self._analyst.sweep()

    def _frame(self, request: PersonRequest) -> Frame:
        settings = self.settings
        limit = settings.max_input_pixels
        photo = images.decode(request.person_image, "person_image", limit)
        auto_crop = request.params.auto_crop is not False
        return Frame.of(
            photo, settings.frame_width_px, settings.frame_height_px, auto_crop=auto_crop
        )

    def _mask(self, understood: Understanding, category: str) -> NDArray[np.bool_]:
        return agnostic_mask(
            understood.parse_map,
            understood.keypoints,
            cast("Category", category),
            self.settings.arm_width_px,
        )

    def _pictures(
        self, frame: Frame, understood: Understanding, mask: NDArray[np.bool_]
    ) -> tuple[bytes, bytes, bytes]:
        labels = whole_photo.labels_in_photo(frame, understood.parse_map)
        surface = whole_photo.labels_in_photo(frame, understood.densepose_parts)
        compression = self.settings.png_compression
        return (
            images.encode_png(whole_photo.mask_in_photo(frame, mask), compression),
            images.encode_png(labels, compression),
            images.encode_png(densepose_picture.render(surface), compression),
        )


def _told(frame: Frame, understood: Understanding) -> dict[str, Any]:
    """Give what the pictures do not show, JSON-ready."""
    points = whole_photo.points_in_photo(frame, understood.keypoints, understood.parse_map.shape)
    return {
        "width_px": frame.photo.shape[1],
        "height_px": frame.photo.shape[0],
        "keypoint_names": list(KEYPOINTS),
        "keypoints": [_joint(point) for point in points],
        "labels": {name: value for value, name in enumerate(PARSE_LABELS)},
        "warnings": [asdict(one) for one in understood.warnings],
        "models": [asdict(one) for one in understood.models],
    }


def _joint(point: NDArray[np.float32]) -> list[float] | None:
    """Give x, y and confidence; None for a joint that was not found."""
    return [round(float(value), 3) for value in point] if point.any() else None
