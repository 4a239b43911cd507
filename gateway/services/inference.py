"""One question to a model: answered from store, from what is under way, or by a worker.

Where the model does not serve, another one does that the deployment allows and that honours all
that was asked; the answer then says who, and why.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog
from pydantic import JsonValue

from gateway.domain.budgets import gpu_s_of
from gateway.domain.fallback import Fallback, fallback
from gateway.domain.images import Picture
from gateway.domain.jobs import Job, Prediction, Progress, Readiness, Tickets
from gateway.domain.names import Keeping
from gateway.domain.options import Engine, Plan
from gateway.domain.results import (
    StoredResult,
    finished_metadata,
    is_lowered,
    is_of_another,
    request_key,
)
from gateway.domain.sessions import Kind
from gateway.domain.uploads import ImageType
from gateway.errors.kinds import (
    GatewayError,
    ModelNotLoaded,
    NotDeployed,
    NotKept,
    StorageFailed,
    TooLate,
)
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.models import Models, OnProgress
from gateway.services.budgets import BudgetService
from gateway.services.results import ResultService
from gateway.services.single_flight import SingleFlight


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked: options, and normalised pictures by the model's names for them.

    `fields` says under which of its own names the caller sent a picture; `image_type` is the type
    of the pictures that come back; `caller` tells who asks, without a name; `alternatives` is what
    else may be done where the engine does not serve; `payer` is the API key that is charged, unless
    another question of the same caller was the same; `keeping` says how long its pictures are kept,
    and where, if not as all others are; `kind` is its urgency, or the worker's to tell. Who `waits`
    rather has no answer now than another engine's because the asked one is not there; `tickets` are
    those of work that is begun again.
    """

    plan: Plan
    images: Mapping[str, Picture]
    fields: Mapping[str, str]
    image_type: ImageType
    request_id: str
    caller: str
    alternatives: tuple[Plan, ...] = ()
    payer: str | None = None
    keeping: Keeping | None = None
    kind: Kind | None = None
    waits: bool = False
    tickets: Tickets | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A result, the engine that served it, and whether it was there before."""

    engine: Engine
    result: StoredResult
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call gets; `is_cached` when an identical question was reused, past or under way.

    `engine` is the one that served it; the result's metadata say so where another was asked.
    """

    engine: Engine
    result: StoredResult
    is_cached: bool
    processing_time_ms: float


class InferenceService:
    """Reuses what is known or under way, and asks the model for the rest."""

    def __init__(
        self,
        models: Models,
        results: ResultService,
        clock: Clock,
        metrics: Metrics,
        budgets: BudgetService | None = None,
    ) -> None:
        self._models = models
        self._budgets = budgets
        self._results = results
        self._clock = clock
        self._metrics = metrics
        self._flights = SingleFlight[Progress, Made](self._discard)

    async def ask(
        self, preparing: Awaitable[Question], on_progress: OnProgress | None = None
    ) -> Answer:
        """Answer a question, its preparation timed along.

        `on_progress` hears how the model gets on, with previews if the question asks for some.
        Cancelled, it takes the inference along, unless somebody else waits for the same. Raises
        what preparing raises, the Models port and the store.
        """
        started = self._clock.monotonic()
        question = await preparing
        engine = question.plan.engine
        version = self._models.version_for(engine.model, question.request_id)
        key = request_key(question.images, question.plan, version, question.caller)
        place = "" if question.keeping is None else question.keeping.place
        flight = f"{key} {question.plan.schedule.promise} {place}"
        result = await self._results.recall(key)
        reuse = "hit" if result is not None else "joined" if flight in self._flights else "miss"
        self._metrics.memo.labels(reuse).inc()
        if result is None:
            work = partial(self._serve, key, version, question, started)
            made = await self._flights.join(flight, work, _heard(question, on_progress))
        else:
            made = Made(engine, result)
        duration_ms = round((self._clock.monotonic() - started) * 1000, 1)
        is_known = reuse != "miss" or made.is_known
        return Answer(made.engine, made.result, is_known, duration_ms)

    async def _discard(self, made: Made) -> None:
        """Erase what was made for somebody who has gone; what was known is others' as well."""
        if not made.is_known:
            with suppress(StorageFailed):  # what is left then goes at its expiry
                await self._results.erase(made.result)

    async def _serve(
        self,
        key: str,
        version: str | None,
        question: Question,
        began_s: float,
        tell: OnProgress,
    ) -> Made:
        """Have the engine do it, or the first alternative that can."""
        engine = question.plan.engine
        try:
            self._step_aside(question)
            return Made(engine, await self._make(key, version, question, began_s, tell))
        except GatewayError as error:
            is_awaited = question.waits and isinstance(error, ModelNotLoaded)
            why = None if is_awaited else fallback(engine, error)
            made = why and await self._instead(question, why, began_s, tell)
            if not made:
                raise
            return made

    def _step_aside(self, question: Question) -> None:
        """Raise what keeps an engine from serving now, where another one would at once."""
        if question.waits:
            return
        asked = self._models.state(question.plan.engine.model).readiness
        others = [self._models.state(plan.engine.model).readiness for plan in question.alternatives]
        if asked is not Readiness.READY and Readiness.READY in others:
            raise NotDeployed if asked is Readiness.MISSING else ModelNotLoaded

    async def _instead(
        self, question: Question, why: Fallback, began_s: float, tell: OnProgress
    ) -> Made | None:
        """What the first alternative makes that can; remembered as its own, not as the asked."""
        for plan in question.alternatives:
            other = replace(question, plan=plan, alternatives=())
            version = self._models.version_for(plan.engine.model, question.request_id)
            key = request_key(other.images, plan, version, other.caller)
            try:
                known = await self._results.recall(key)
                result = known or await self._make(key, version, other, began_s, tell)
            except GatewayError as error:
                structlog.get_logger(__name__).warning(
                    "a fallback failed", engine=plan.engine.name, error_code=error.code
                )
                continue
            self._metrics.fallbacks.labels(why.engine, plan.engine.name, why.reason).inc()
            told = {**result.metadata, "fallback_from": dict[str, JsonValue](why.told())}
            return Made(plan.engine, replace(result, metadata=told), known is not None)
        return None

    async def _make(
        self,
        key: str,
        version: str | None,
        question: Question,
        began_s: float,
        tell: OnProgress,
    ) -> StoredResult:
        job = _job(question).after(self._clock.monotonic() - began_s)
        started = self._clock.monotonic()
        prediction = await self._predict(job, question, tell)
        took_s = self._clock.monotonic() - started
        metadata = finished_metadata(prediction, question.plan)
        remembered = None if is_lowered(prediction) or is_of_another(prediction, version) else key
        kept = prediction.images, question.image_type, metadata, question.keeping
        try:
            result = await self._results.keep(remembered, *kept)
        except StorageFailed as error:
            raise NotKept from error
        try:
            await self._charge(question.payer, prediction, took_s)
        except asyncio.CancelledError:
            await self._results.erase(result)
            raise
        return result

    async def _charge(self, payer: str | None, prediction: Prediction, took_s: float) -> None:
        """Have the payer pay for what he gets: not for what could not be kept."""
        if self._budgets is not None and payer is not None:
            await self._budgets.charge(payer, gpu_s_of(prediction.metadata, took_s))

    async def _predict(self, job: Job, question: Question, tell: OnProgress) -> Prediction:
        engine = question.plan.engine
        started, outcome = self._clock.monotonic(), "ok"
        try:
            prediction = await self._models.predict(job, tell)
        except GatewayError as error:
            outcome = str(error.code)
            _in_the_callers_words(error, question)
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            duration_s = self._clock.monotonic() - started
            self._metrics.inference_s.labels(engine.name, outcome).observe(duration_s)
        self._metrics.observe_worker(engine.name, prediction.metadata)
        log = structlog.get_logger(__name__)
        log.info("inference finished", metadata=dict(prediction.metadata))
        return prediction


def _job(question: Question) -> Job:
    plan = question.plan
    schedule = plan.schedule.asked_by(question.caller, question.kind)
    return Job(
        model=plan.engine.model,
        params=plan.params,
        images={name: picture.png for name, picture in question.images.items()},
        request_id=question.request_id,
        schedule=schedule if plan.engine.shares_steps else None,
        payer=question.payer,
        tickets=question.tickets,
        place="" if question.keeping is None else question.keeping.place,
    )


def _heard(question: Question, on_progress: OnProgress | None) -> OnProgress | None:
    """Who hears of the inference; previews only who asked for some, whoever it is shared with."""
    if on_progress is None or question.plan.schedule.preview_every is not None:
        return on_progress

    def hear(progress: Progress) -> None:
        if progress.preview is None:
            on_progress(progress)

    return hear


def _in_the_callers_words(error: GatewayError, question: Question) -> None:
    """Name the field of an image that a worker names, and the time that the caller gave."""
    field = question.fields.get(str(error.details.get("image")))
    if field is not None:
        error.details["field"] = field
    if isinstance(error, TooLate):
        error.details["within_s"] = question.plan.schedule.within_s
