"""The main job: two pictures in, one picture out."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from gateway.domain.images import Picture
from gateway.domain.jobs import Job, Prediction
from gateway.domain.options import Engine, Given, Plan, choose, plan
from gateway.domain.results import StoredResult, finished_metadata, request_key
from gateway.domain.uploads import ImageType
from gateway.errors import Busy, GatewayError
from gateway.metrics import Metrics
from gateway.ports import Clock, Models
from gateway.services.pictures import PictureService, Source
from gateway.services.results import ResultService
from gateway.services.single_flight import SingleFlight


@dataclass(frozen=True, slots=True)
class TryOnRequest:
    """What one call asks for."""

    person: Source
    garment: Source
    mask: Source | None
    engine: str | None
    given: Given
    request_id: str


@dataclass(frozen=True, slots=True)
class TryOnOutcome:
    """What one call gets; `is_cached` when an identical request was reused, past or under way."""

    engine: Engine
    result: StoredResult
    is_cached: bool
    processing_time_ms: float


@dataclass(frozen=True, slots=True)
class TryOnRules:
    """The deployment's choices."""

    default_engine: str
    max_in_flight: int


class TryOnService:
    """Checks what is asked, reuses what is known or under way, and asks the model for the rest."""

    def __init__(  # noqa: PLR0913 - everything the job touches, named
        self,
        rules: TryOnRules,
        engines: Mapping[str, Engine],
        models: Models,
        pictures: PictureService,
        results: ResultService,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._rules = rules
        self._engines = engines
        self._models = models
        self._pictures = pictures
        self._results = results
        self._clock = clock
        self._metrics = metrics
        self._in_flight = 0
        self._flights = SingleFlight[StoredResult]()

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Room for one try-on, taken before its body is read; raises Busy when there is none."""
        if self._in_flight >= self._rules.max_in_flight:
            raise Busy
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)

    async def run(self, request: TryOnRequest) -> TryOnOutcome:
        """Serve one try-on; raises the GatewayErrors of its parts."""
        started = self._clock.monotonic()
        engine = choose(self._engines, request.engine, self._rules.default_engine)
        made = plan(engine, request.given, has_mask=request.mask is not None)
        images = await self._decoded(request)
        key = request_key(images, made, self._models.state(engine.model).version)
        result = await self._results.recall(key)
        reuse = "hit" if result is not None else "joined" if key in self._flights else "miss"
        self._metrics.memo.labels(reuse).inc()
        if result is None:
            work = partial(self._make, key, made, images, request)
            result = await self._flights.join(key, work)
        duration_ms = round((self._clock.monotonic() - started) * 1000, 1)
        return TryOnOutcome(engine, result, reuse != "miss", duration_ms)

    async def _decoded(self, request: TryOnRequest) -> Mapping[str, Picture]:
        person, garment = await asyncio.gather(
            self._pictures.photo(request.person), self._pictures.photo(request.garment)
        )
        mask = await self._pictures.mask(request.mask, person)
        images = {"person_image": person, "garment_image": garment}
        return images if mask is None else images | {"mask": mask}

    async def _predict(
        self, made: Plan, images: Mapping[str, Picture], request: TryOnRequest
    ) -> Prediction:
        job = Job(
            model=made.engine.model,
            params=made.params,
            images={name: picture.png for name, picture in images.items()},
            request_id=request.request_id,
        )
        started, outcome = self._clock.monotonic(), "ok"
        try:
            prediction = await self._models.predict(job)
        except GatewayError as error:
            outcome = str(error.code)
            _name_field(error, request)
            raise
        finally:
            duration_s = self._clock.monotonic() - started
            self._metrics.inference_s.labels(made.engine.name, outcome).observe(duration_s)
        self._metrics.observe_worker(made.engine.name, prediction.metadata)
        log = structlog.get_logger(__name__)
        log.info("inference finished", metadata=dict(prediction.metadata))
        return prediction

    async def _make(
        self, key: str, made: Plan, images: Mapping[str, Picture], request: TryOnRequest
    ) -> StoredResult:
        prediction = await self._predict(made, images, request)
        metadata = finished_metadata(prediction, made)
        image_type = ImageType[str(made.params["output_format"]).upper()]
        return await self._results.keep(key, prediction.images, image_type, metadata)


def _name_field(error: GatewayError, request: TryOnRequest) -> None:
    """Where a worker names one of its images, name the field that the caller sent it in."""
    fields = {"person_image": request.person.field, "garment_image": request.garment.field}
    field = fields.get(str(error.details.get("image")))
    if field is not None:
        error.details["field"] = field
