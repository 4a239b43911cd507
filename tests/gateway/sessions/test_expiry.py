"""A minute after a photo expires nothing of it is left: everything is real, but for the time."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.tables import metadata
from gateway.domain.jobs import Job, Prediction
from gateway.domain.names import Keeping
from gateway.domain.receipts import is_genuine
from gateway.domain.uploads import ImageType
from gateway.ports.models import OnProgress
from gateway.services.worker_memory import digest_of
from gateway.telemetry import configure_logging
from handlers.geometric import GeometricHandler
from tests.gateway.running import ManualClock
from tests.gateway.sessions.workshop import DAY_S, Drawer, Place, Sessions, opened
from tests.handlers.test_geometric import GARMENT, PERSON
from tests.handlers.torchserve_rows import config, context

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ENGINE = "geometric"


class Worker(Drawer):
    """The embedded engine, as its worker runs it."""

    def __init__(self) -> None:
        super().__init__()
        made, _ = context(1)
        self.handler = GeometricHandler()
        self.handler.initialize(made)

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        del on_progress
        frames = await asyncio.to_thread(self._answer, job)
        told = frames.pop()
        assert told[0] == "D", told
        return Prediction(tuple(payload for kind, payload in frames if kind == "I"), told[1])

    def version_for(self, _: str, __: str) -> str | None:
        return "1.2.3"

    async def tell(self, job: Job) -> int | None:
        prediction = await self.predict(job)
        return int(str(prediction.metadata["forgotten"]))

    def _answer(self, job: Job) -> list[tuple[str, Any]]:
        made, front = context(1, model_yaml=config())
        row = {"params": json.dumps(dict(job.params)).encode(), **job.images}
        self.handler.handle([row], made)
        return front.frames(0)

    @property
    def entries(self) -> float:
        told = self.handler.gauges()
        return sum(value for name, value in told.items() if name.endswith("_entries"))


@pytest.fixture(scope="module")
def started() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.handler._landmarks.get().close()


@pytest.fixture
def worker(started: Worker) -> Worker:
    started.handler._empty_caches()
    return started


@pytest.fixture
def every_line(log: io.StringIO) -> io.StringIO:
    """The log down to its least line; `log` puts everything back afterwards."""
    configure_logging("DEBUG", stream=log)
    return log


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """SQLite with a folder, and Postgres with S3."""
    if request.param == "file":
        return Place(f"sqlite:///{tmp_path}/vton.db", f"file://{tmp_path}/objects")
    return Place(request.getfixturevalue("postgres_url"), request.getfixturevalue("s3_url"))


def png(encoded: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(encoded)).convert("RGB").resize((576, 768)).save(buffer, "PNG")
    return buffer.getvalue()


def files(place: Place) -> list[Path]:
    """Everything in the store's folder; a session's own folder is a trace of it, too."""
    folder = Path(place.store_url.removeprefix("file://"))
    return [*folder.rglob("*")]


async def rows(place: Place) -> dict[str, list[str]]:
    database = Database(place.database_url, pool_size=2, timeout_s=60)
    async with database.reading() as connection:
        found = {
            name: [repr(row) for row in await connection.execute(select(table))]
            for name, table in metadata.tables.items()
        }
    await database.close()
    return {name: lines for name, lines in found.items() if lines}


async def made(sessions: Sessions, clock: ManualClock) -> tuple[str, set[str]]:
    """A session that has ended well; its id, and the names of all its objects."""
    photos = (png(PERSON), png(GARMENT))
    session_id = await sessions.accept(ENGINE, clock.now(), photos=photos)
    async with sessions.running():
        session = await sessions.service.wait(session_id, ENGINE, 60)
    (item,) = session.items
    assert item.outcome is not None, item.fault
    assert sessions.results.links(item.outcome.result).urls
    names = {key.rpartition("/")[2] for key in session.object_keys}
    return session_id, names


async def check_nothing_is_left(
    place: Place, sessions: Sessions, names: set[str], log: str
) -> None:
    assert [key async for key in sessions.store.keys("")] == []
    assert files(place) == []
    left = await rows(place)
    assert left.keys() <= {"audit_events"}
    digests = {digest_of(png(PERSON)), digest_of(png(GARMENT))}
    for text in (*left.get("audit_events", []), log):
        for trace in (*names, *digests, "signature=", "IHDR", "JFIF", "data:image"):
            assert trace not in text
    assert await sessions.results.tidy() == 0
    assert isinstance(sessions.models, Worker)
    assert sessions.models.entries == 0
    assert sessions.results._memo.names() == set()


async def test_a_minute_after_expiry_nothing_is_left(
    place: Place, worker: Worker, every_line: io.StringIO
) -> None:
    clock = ManualClock()
    async with opened(place, clock, [ENGINE], worker=worker) as sessions:
        session_id, names = await made(sessions, clock)
        assert worker.entries == 2
        assert len([key async for key in sessions.store.keys("")]) == 3
        clock.time_s += DAY_S + 60
        erased = await sessions.erasing.job.run()
        assert erased["sessions"] == 1
        await check_nothing_is_left(place, sessions, names, every_line.getvalue())
        receipt = await sessions.service.receipt(session_id, ENGINE)
        assert receipt["reason"] == "expired"
        assert is_genuine(receipt, sessions.erasing.key.public)
        clock.time_s += 90 * DAY_S + 1
        await sessions.erasing.job.run()
        assert await rows(place) == {}


async def test_what_a_runner_left_that_died_goes_with_its_session(
    place: Place, worker: Worker
) -> None:
    """It had stored a picture, and had not yet written down that it is there."""
    clock = ManualClock()
    async with opened(place, clock, [ENGINE], worker=worker) as sessions:
        session_id, names = await made(sessions, clock)
        kept = Keeping(clock.now() + DAY_S, session_id)
        left = await sessions.results.keep(None, [GARMENT], ImageType.JPEG, {}, kept)
        receipt = await sessions.service.delete(session_id, ENGINE)
        erased = receipt["erased"]
        assert isinstance(erased, dict)
        assert erased["results"] == 2
        await check_nothing_is_left(place, sessions, names | {*left.names}, "")


async def test_deleting_does_all_of_it_at_once(
    place: Place, worker: Worker, every_line: io.StringIO
) -> None:
    clock = ManualClock()
    async with opened(place, clock, [ENGINE], worker=worker) as sessions:
        session_id, names = await made(sessions, clock)
        receipt = await sessions.service.delete(session_id, ENGINE)
        assert receipt["receipt_id"] == session_id
        erased = receipt["erased"]
        assert isinstance(erased, dict)
        assert (erased["photos"], erased["results"], erased["cache_entries"]) == (2, 1, 3)
        await check_nothing_is_left(place, sessions, names, every_line.getvalue())


async def test_an_upload_that_expires_is_forgotten_by_the_worker(
    place: Place, worker: Worker
) -> None:
    clock = ManualClock()
    async with opened(place, clock, [ENGINE], worker=worker) as sessions:
        await made(sessions, clock)
        session_id, _ = await made(sessions, clock)
        await sessions.service.cancel(session_id, ENGINE)
        assert worker.entries == 2
        keys = [key async for key in sessions.store.keys("uploads")]
        clock.time_s += DAY_S
        assert await sessions.erasing.retention.sweep() >= len(keys)
        assert worker.entries == 0
