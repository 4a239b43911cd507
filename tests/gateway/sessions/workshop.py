"""Sessions with everything real but the models, in a folder and a database that outlive them."""

import io
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_bytes

from PIL import Image

from gateway.adapters.decoder import ThreadedDecoder
from gateway.adapters.memory import MemoryResultMemo
from gateway.adapters.notices_memory import MemoryNotices
from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.migrating import open_database
from gateway.adapters.sql.queue import QueueRules, SqlSessionQueue
from gateway.domain.images import ImageLimits
from gateway.domain.jobs import Job, ModelState, Prediction, Progress, Readiness
from gateway.domain.licensing import Licensing
from gateway.domain.options import Engine
from gateway.domain.terms import Part
from gateway.metrics import Metrics
from gateway.ports import Clock, OnProgress
from gateway.services.catalogue import Catalogue
from gateway.services.inference import InferenceService
from gateway.services.pictures import PictureService
from gateway.services.results import LinkRules, ResultService
from gateway.services.runner import SessionRunner
from gateway.services.sessions import SessionService
from gateway.services.tryon import TryOnService
from gateway.session_assembly import SessionGround, session_runner, session_service
from gateway.session_settings import SessionSettings

LEASE_S = 30.0
QUICK = SessionSettings(
    lease_s=LEASE_S, beat_s=0.05, poll_s=0.05, progress_s=0.001, retry_first_s=0.01, per_engine=1
)


class Drawer:
    """Models that draw at once: two steps, one picture."""

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        for step in (1, 2):
            if on_progress is not None:
                on_progress(Progress("denoise", step, 2))
        buffer = io.BytesIO()
        Image.new("RGB", (8, 12), "teal").save(buffer, "JPEG")
        return Prediction((buffer.getvalue(),), {"model": job.model})

    def state(self, _: str) -> ModelState:
        return ModelState(Readiness.READY, "1.0", ready_workers=1, workers=1)

    def version_for(self, _: str, __: str) -> str | None:
        return "1.0"

    async def refresh(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything lies."""

    database_url: str
    store_url: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """What a test works with."""

    book: SqlSessionBook
    queue: SqlSessionQueue
    service: SessionService
    runner: SessionRunner
    notices: MemoryNotices
    store: ObjectStoreAdapter
    pictures: PictureService


def engines(names: Collection[str]) -> Mapping[str, Engine]:
    """Engines of these names."""
    options = frozenset({"category", "seed", "output_format"})
    terms = (Part("engine", "drawer", "Apache-2.0", commercial_use=True),)
    return {name: Engine(name, name, options, terms) for name in names}


@asynccontextmanager
async def opened(
    place: Place, clock: Clock, names: Collection[str], told: SessionSettings = QUICK
) -> AsyncIterator[Sessions]:
    """Sessions of these engines; the runner does not run yet."""
    store, notices, metrics, models = (
        ObjectStoreAdapter(place.store_url),
        MemoryNotices(),
        Metrics(),
        Drawer(),
    )
    decoder = ThreadedDecoder(ImageLimits(1, 10_000, 100, 100), 1, 10)
    rules = LinkRules(b"secret", 60, "")
    memo = MemoryResultMemo(clock, 0, 0)
    results = ResultService(store, memo, clock, token_bytes, 86_400, rules)
    pictures = PictureService(store, decoder, clock, token_bytes, 86_400)
    catalogue = Catalogue(store, clock, token_bytes)
    inference = InferenceService(models, results, clock, metrics)
    known = engines(names)
    licensing = Licensing(commercial_only=False)
    tryon = TryOnService(known, next(iter(names)), licensing, pictures, catalogue, inference)
    async with open_database(place.database_url, pool_size=5, timeout_s=20) as database:
        book = SqlSessionBook(database, clock)
        queue_rules = QueueRules(told.lease_s, told.max_tries, told.per_user)
        queue = SqlSessionQueue(database, clock, queue_rules)
        ground = SessionGround(
            book, queue, notices, store, models, known, tryon, pictures, results, clock, metrics
        )
        service, runner = session_service(ground, told), session_runner(ground, told)
        yield Sessions(book, queue, service, runner, notices, store, pictures)
    decoder.close()
