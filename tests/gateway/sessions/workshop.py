"""Sessions with everything real but the models, in a folder and a database that outlive them."""

import asyncio
import io
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_bytes, token_hex

from PIL import Image
from pydantic import JsonValue

from gateway.adapters.decoder import ThreadedDecoder
from gateway.adapters.memory import MemoryResultMemo
from gateway.adapters.notices_memory import MemoryNotices
from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.migrating import open_database
from gateway.adapters.sql.queue import QueueRules, SqlSessionQueue
from gateway.assembly.erasing import Erasing, ErasingRules, Outside, erasing
from gateway.assembly.sessions import SessionGround, session_runner, session_service
from gateway.domain.fallback import EngineOrder
from gateway.domain.images import ImageLimits, picture_of_png
from gateway.domain.jobs import Job, ModelState, Prediction, Progress, Readiness
from gateway.domain.licensing import Licensing
from gateway.domain.names import Folder, Keeping
from gateway.domain.options import Engine
from gateway.domain.sessions import Ask, Draft, EventKind, Kind, Session
from gateway.domain.sessions_lifecycle import ENDED, State
from gateway.domain.terms import Part
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.models import OnProgress
from gateway.services.catalogue import Catalogue
from gateway.services.inference import InferenceService
from gateway.services.pictures import PictureService
from gateway.services.results import LinkRules, ResultService
from gateway.services.runner import SessionRunner
from gateway.services.sessions import SessionService
from gateway.services.tryon import TryOnService
from gateway.settings.sessions import SessionSettings
from tests.gateway import pictures

LEASE_S = 30.0
DAY_S = 86_400.0
QUICK = SessionSettings(
    lease_s=LEASE_S, beat_s=0.05, poll_s=0.05, progress_s=0.001, retry_first_s=0.01, per_engine=1
)


class Drawer:
    """Models that draw at once: two steps, one picture; unless a gate is shut before."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.told: list[Job] = []

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        self.asked.set()
        await self.gate.wait()
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

    async def tell(self, job: Job) -> int | None:
        self.told.append(job)
        return 0


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
    models: Drawer
    results: ResultService
    erasing: Erasing

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have the runner run for the length of the block."""
        running = asyncio.create_task(self.runner.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def accept(
        self, engine: str, now: float, items: int = 1, photos: Sequence[bytes] = ()
    ) -> str:
        """Have a session of so many items accepted; its owner is the engine's namesake.

        photos: of a person and of a garment, PNG; both are a small drawing unless given.
        """
        shown = [picture_of_png(one) for one in photos or (pictures.png((32, 40)),) * 2]
        kept = Keeping(now + DAY_S, token_hex(16))
        asks = []
        for garment in range(items):
            names = [str(await self.pictures.put(one, kept)) for one in shown]
            asked = dict(zip(("user_image", "garment_image"), names, strict=True))
            given: dict[str, JsonValue] = {"output_format": "jpeg", "seed": garment}
            given["category"] = "upper_body"
            asks.append(Ask(asked, given, garment=garment))
        draft = Draft(
            session_id=kept.place,
            owner=engine,
            kind=Kind.STANDARD,
            engine=engine,
            asks=tuple(asks),
            request_id="0123456789abcdef",
            created_at=now,
            expires_at=now + DAY_S,
        )
        return (await self.book.create(draft)).session_id

    async def ended_once(self, session_id: str, owner: str) -> Session:
        """A session that ended well, once, and has its pictures."""
        found = await self.book.find(session_id, owner)
        history = await self.book.history(session_id, owner, 0, 1000)
        assert found is not None
        assert history is not None
        told = [event.data["state"] for event in history.events if event.kind is EventKind.STATE]
        assert [state for state in told if state in ENDED] == [State.COMPLETED]
        for item in found.items:
            assert item.outcome is not None
            for name in item.outcome.result.names:
                assert await self.store.exists(f"{Folder.RESULTS}/{name}")
        return found


def engines(names: Collection[str]) -> Mapping[str, Engine]:
    """Engines of these names."""
    options = frozenset({"category", "seed", "output_format"})
    terms = (Part("engine", "drawer", "Apache-2.0", commercial_use=True),)
    return {name: Engine(name, name, options, terms) for name in names}


def _erasing(ground: SessionGround, database: Database, worker: Drawer) -> Erasing:
    lines, rows = SqlAuditLog(database), SqlEraser(database, ground.clock)
    outside = Outside(rows, lines, worker, ground.engines)
    return erasing(ground, outside, ErasingRules(b"secret", 90 * DAY_S, 60.0, 60.0, 7 * DAY_S))


@asynccontextmanager
async def opened(
    place: Place,
    clock: Clock,
    names: Collection[str],
    told: SessionSettings = QUICK,
    worker: Drawer | None = None,
) -> AsyncIterator[Sessions]:
    """Sessions of these engines; the runner does not run yet.

    With a worker that is given, results are remembered, too.
    """
    store, notices = ObjectStoreAdapter(place.store_url), MemoryNotices()
    metrics, models = Metrics(), worker or Drawer()
    decoder = ThreadedDecoder(ImageLimits(1, 10_000, 100, 100), 1, 10)
    rules = LinkRules(b"secret", 60, "")
    memo = MemoryResultMemo(clock, *((0, 0) if worker is None else (3600, 100)))
    results = ResultService(store, memo, clock, token_bytes, 86_400, rules)
    drawn_on = PictureService(store, decoder, clock, token_bytes, 86_400)
    catalogue = Catalogue(store, clock, token_bytes)
    inference = InferenceService(models, results, clock, metrics)
    known = engines(names)
    licensing = Licensing(commercial_only=False)
    order = EngineOrder(next(iter(names)))
    tryon = TryOnService(known, order, licensing, drawn_on, catalogue, inference)
    async with open_database(place.database_url, pool_size=5, timeout_s=60) as database:
        book = SqlSessionBook(database, clock)
        queue_rules = QueueRules(told.lease_s, told.max_tries, told.per_user)
        queue = SqlSessionQueue(database, clock, queue_rules)
        ground = SessionGround(
            book, queue, notices, store, models, known, tryon, drawn_on, results, clock, metrics
        )
        eraser = _erasing(ground, database, models)
        service = session_service(ground, told, eraser.sessions)
        runner = session_runner(ground, told)
        yield Sessions(
            book, queue, service, runner, notices, store, drawn_on, models, results, eraser
        )
    decoder.close()
