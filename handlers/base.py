"""What every model's entry class shares: load and warm up once, then serve batches.

A request of a batch is decoded, run and encoded by itself: whatever it does wrong, and whatever
breaks on it, ends in its own error frame and leaves its batch mates alone.
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from handlers import forgetting, licences, memory, telemetry, wire
from handlers.errors import HandlerError, InferenceFailed, ModelNotLoaded, OutOfMemory
from handlers.forgetting import ForgetRequest
from handlers.models import read_offer, read_settings
from handlers.settings import HandlerSettings, Offer
from handlers.stages import Stages
from handlers.wire import R

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request gave: encoded pictures in order, and what is to know of them.

    `names` says what each picture is, where they differ; the metadata tells it as `images`.
    """

    images: tuple[bytes, ...]
    metadata: Mapping[str, Any]
    names: tuple[str, ...] = ()


class ImageHandler(ABC, Generic[R]):
    """A model behind TorchServe: `load`, `warm_up` and `run` are a subclass's own.

    `request_type` is the kind of request that it serves.
    """

    request_type: type[R]
    stages: ClassVar[tuple[str, ...]]
    settings: HandlerSettings
    offer: Offer

    def __init__(self) -> None:
        self.ready = False

    @abstractmethod
    def load(self) -> None:
        """Load what `run` needs."""

    @abstractmethod
    def warm_up(self) -> None:
        """Run representative requests, so that the first real one is as quick as the second."""

    @abstractmethod
    def run(self, request: R, stages: Stages) -> Outcome:
        """Serve one request; raises HandlerError for what its caller can mend."""

    @abstractmethod
    def gauges(self) -> Mapping[str, float]:
        """Give the engine's own gauges by metric name, after a batch."""

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop whatever was made of pictures, by their `part_digest`; how many entries it was."""
        del pictures
        return 0

    def sweep(self) -> None:
        """Drop whatever is too old."""
        return

    def forgotten(self, asked: ForgetRequest) -> dict[str, Any]:
        """Forget, and have the other workers of the host forget; what to tell of it."""
        entries = self.forget_pictures(asked.pictures)
        self._board.post(asked.pictures)
        self._log(logging.INFO, "forgotten", pictures=len(asked.pictures), entries=entries)
        return {"forgotten": entries, "model_version": self._version}

    def initialize(self, context: wire.Context) -> None:
        """Load and warm up; TorchServe calls the worker ready when this returns."""
        telemetry.write_json_lines()
        memory.share_one_arena()
        sections = context.model_yaml_config
        self.settings = read_settings(sections)
        self.offer = read_offer(sections)
        self._version = wire.model_version(context)
        self._metrics = wire.MetricSink(context)
        started = time.perf_counter()
        try:
            licences.refuse_non_commercial(self.settings, self.offer)
            self.load()
        except Exception as fault:
            self._log(logging.ERROR, f"the model cannot be loaded: {fault}")
            raise
        loaded = time.perf_counter()
        self.warm_up()
        self.ready = True
        self._board = forgetting.board_of(wire.model_folder(context))
        forgetting.watch(self._board, self)
        load_ms, warm_up_ms = (loaded - started) * 1000, (time.perf_counter() - loaded) * 1000
        self._log(
            logging.INFO,
            "model ready",
            load_ms=round(load_ms, 1),
            warm_up_ms=round(warm_up_ms, 1),
        )

    def handle(self, rows: Sequence[wire.Row], context: wire.Context) -> list[bytes]:
        """Serve a batch; every row's stream ends with exactly one done or error frame."""
        batch = [wire.Exchange(row, context, index) for index, row in enumerate(rows)]
        for exchange in batch:
            with telemetry.request(exchange.request_id):
                self._serve(exchange, len(batch))
        self.settle(len(batch))
        return wire.closing(batch)

    def _serve(self, exchange: wire.Exchange, batch_size: int) -> None:
        stages = Stages(self.stages, exchange.progress)
        watch, started = memory.GpuWatch(), time.perf_counter()
        try:
            outcome = self._run(exchange, stages, watch)
        except Exception as caught:  # noqa: BLE001  a batch mate must not pay for it
            error = as_handler_error(caught)
            exchange.error(error)
            code = error.code
        else:
            exchange.done(outcome.images, outcome.metadata)
            code = "ok"
        spent_ms = (time.perf_counter() - started) * 1000
        self.record(code, batch_size, spent_ms, stages.elapsed_ms, watch)

    def _run(self, exchange: wire.Exchange, stages: Stages, watch: memory.GpuWatch) -> Outcome:
        if not self.ready:
            raise ModelNotLoaded("The model is not loaded yet.")
        if (asked := exchange.forgetting()) is not None:
            return Outcome((), self.forgotten(asked))
        outcome = self.run(exchange.request(self.request_type, self.offer), stages)
        return Outcome(outcome.images, self.told(outcome, stages, watch))

    def told(self, outcome: Outcome, stages: Stages, watch: memory.GpuWatch) -> dict[str, Any]:
        """Give an outcome's metadata with what every engine tells."""
        named = {"images": list(outcome.names)} if outcome.names else {}
        return {
            **outcome.metadata,
            **named,
            "engine": self.offer.engine,
            "model": self.settings.name,
            "model_version": self._version,
            "stage_ms": stages.elapsed_ms,
            "gpu_peak_bytes": watch.read().peak_bytes,
        }

    def settle(self, batch_size: int) -> None:
        """Give back memory and set the gauges, after a batch."""
        with _never_in_the_way():
            memory.release()
            self._set_gauges(batch_size)

    def record(
        self,
        code: str,
        batch_size: int,
        duration_ms: float,
        stage_ms: Mapping[str, float],
        watch: memory.GpuWatch,
    ) -> None:
        """Write an inference down, after its answer."""
        with _never_in_the_way():
            if code == OutOfMemory.code:
                memory.recover()  # here, where the error no longer holds what it ran out with
            self._record(code, batch_size, duration_ms, stage_ms, watch.read())

    def _record(
        self,
        code: str,
        batch_size: int,
        duration_ms: float,
        stage_ms: Mapping[str, float],
        gpu: memory.GpuUse,
    ) -> None:
        self._log(
            logging.INFO,
            "inference",
            outcome=code,
            batch_size=batch_size,
            duration_ms=round(duration_ms, 2),
            stage_ms=dict(stage_ms),
            rss_bytes=memory.measure().rss_bytes,
            gpu_memory_bytes=gpu.after_bytes,
            gpu_before_bytes=gpu.before_bytes,
            gpu_peak_bytes=gpu.peak_bytes,
        )
        name = self.settings.name
        self._metrics.add("vton_inferences", 1, name, code)
        for stage, spent_ms in stage_ms.items():
            self._metrics.add("vton_stage_ms", spent_ms, name, stage)

    def _set_gauges(self, batch_size: int) -> None:
        held = memory.measure()
        told = {
            "vton_batch_size": batch_size,
            "vton_worker_rss_bytes": held.rss_bytes,
            "vton_worker_gpu_bytes": held.gpu_bytes,
            **self.gauges(),
        }
        for name, value in told.items():
            self._metrics.set(name, value, self.settings.name)

    def _log(self, level: int, message: str, **fields: object) -> None:
        named = {"model": self.settings.name, "model_version": self._version}
        telemetry.event(logger, level, message, {**named, **fields})


@contextmanager
def _never_in_the_way() -> Iterator[None]:
    """Keep a fault of the bookkeeping away from requests that are already answered."""
    try:
        yield
    except Exception:
        logger.exception("an inference could not be recorded")


def as_handler_error(caught: Exception) -> HandlerError:
    """Turn whatever broke a request into what its caller may know, and write the rest down."""
    if isinstance(caught, HandlerError):
        logger.info("refused", extra={"event": {"error": caught.as_dict()}})
        return caught
    logger.error("the engine broke on this request", exc_info=caught)
    if memory.ran_out(caught):
        return OutOfMemory("There was not enough memory for this request.")
    return InferenceFailed("The engine broke on this request.")
