"""The embedded engine behind TorchServe: a garment laid over a person by geometry, on the CPU.

TorchServe imports this file by itself, as the top-level module `geometric`, and wants exactly
one class in it.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers import images, warmup
from handlers.base import ImageHandler, Outcome
from handlers.cache import LruCache, content_key, word
from handlers.forgetting import part_digest
from handlers.images import Size
from handlers.landmarks import BodyLandmarks
from handlers.loader import Loader
from handlers.request import TryOnRequest
from handlers.settings import GeometricSettings
from handlers.stages import Stages
from handlers.vision import garment, person, tryon
from handlers.vision.lower_garment import LowerGarment
from handlers.vision.packed import PackedPerson


class GeometricHandler(ImageHandler[TryOnRequest]):
    """Dresses a person in one pass: find the body, cut out the garment, warp, blend."""

    settings: GeometricSettings
    request_type = TryOnRequest
    stages = ("pose", "segmentation", "garment_transfer", "encode")

    def load(self) -> None:
        """Create the body detector and empty caches."""
        cv2.setNumThreads(self.settings.opencv_threads)
        confidence = self.settings.landmarks.min_detection_confidence
        self._landmarks = Loader(lambda: BodyLandmarks(confidence))
        self._empty_caches()

    def warm_up(self) -> None:
        """Try on shipped pictures at every configured size, then forget them."""
        for request in warmup.requests(self.settings.warmup):
            self.run(request, Stages((), lambda _stage, _step, _of: None))
            self._empty_caches()

    def run(self, request: TryOnRequest, stages: Stages) -> Outcome:
        """Dress the person of one request; raises HandlerError for pictures that do not serve."""
        limits = self.settings.limits
        with stages.stage("decode"):
            photo = self._fitted(request)
            cloth = images.decode(request.garment_image, "garment_image", limits.max_input_pixels)
        wearer, person_hit = self._person(photo, part_digest(request.person_image), stages)
        worn, garment_hit = self._garment(cloth, request, stages)
        with stages.stage("garment_transfer"):
            dressed = tryon.dress(wearer, worn)
            picture = self._within(request.mask, dressed.image, photo)
        with stages.stage("encode"):
            wished = request.params.output_format
            encoded = images.encode(picture, wished, self.settings.encode)
        told: dict[str, Any] = {
            "category": request.params.category,
            "width_px": picture.shape[1],
            "height_px": picture.shape[0],
            "output_format": wished,
            "seed": request.params.seed,
            "steps": 1,
            "kept_share": round(images.equal_share(picture, photo), 4),
            "confidence": round(float(dressed.confidence), 4),
            "warnings": [asdict(one) for one in dressed.warnings],
            "cache": {"person": word(person_hit), "garment": word(garment_hit)},
        }
        return Outcome((encoded,), told)

    def gauges(self) -> Mapping[str, float]:
        """Give the counters of both caches."""
        persons, garments = self._persons.counters(), self._garments.counters()
        return {**persons.gauges("person"), **garments.gauges("garment")}

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop who was made of these pictures, person or garment; how many entries it was."""
        return self._persons.forget(pictures) + self._garments.forget(pictures)

    def sweep(self) -> None:
        """Drop what is too old."""
        self._persons.sweep()
        self._garments.sweep()

    def _empty_caches(self) -> None:
        sizes = self.settings.cache
        self._persons: LruCache[PackedPerson] = LruCache(sizes.person_bytes, sizes.max_age_s)
        self._garments: LruCache[garment.Garment | LowerGarment] = LruCache(
            sizes.garment_bytes, sizes.max_age_s
        )

    def _fitted(self, request: TryOnRequest) -> NDArray[np.uint8]:
        limits, params = self.settings.limits, request.params
        photo = images.decode(request.person_image, "person_image", limits.max_input_pixels)
        source = Size(photo.shape[1], photo.shape[0])
        size = images.result_size(source, (params.width_px, params.height_px), limits)
        return images.resize(photo, size)

    def _person(
        self, photo: NDArray[np.uint8], part: str, stages: Stages
    ) -> tuple[person.Person, bool]:
        def analyse() -> PackedPerson:
            with stages.stage("pose"):
                detection = self._landmarks.get().detect(photo)
            with stages.stage("segmentation"):
                return PackedPerson.of(person.analyse(photo, detection))

        packed, hit = self._persons.get_or_compute(content_key(photo), analyse, of=(part,))
        return packed.unpack(), hit

    def _garment(
        self, cloth: NDArray[np.uint8], request: TryOnRequest, stages: Stages
    ) -> tuple[garment.Garment | LowerGarment, bool]:
        category = request.params.category

        def analyse() -> garment.Garment | LowerGarment:
            with stages.stage("segmentation"):
                return garment.analyse(cloth, category)

        return self._garments.get_or_compute(
            content_key(cloth, category), analyse, request.garment_parts
        )

    def _within(
        self, mask: bytes | None, dressed: NDArray[np.uint8], photo: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        if mask is None:
            return dressed
        allowed = images.decode_mask(mask, self.settings.limits.max_input_pixels)
        size = Size(photo.shape[1], photo.shape[0])
        return np.where(images.resize_mask(allowed, size)[..., None], dressed, photo)
