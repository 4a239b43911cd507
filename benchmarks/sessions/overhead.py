"""What the gateway adds to a bare FastAPI application, in one process and with the same work.

The bare one answers the same JSON, and for a new session does what nobody can leave out: it reads
the form, decodes both pictures, writes them to the same store and a row to the same database.
"""

import asyncio
import io
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import structlog
from fastapi import FastAPI, UploadFile
from fastapi.responses import StreamingResponse
from PIL import Image
from starlette.types import ASGIApp

from benchmarks import report
from benchmarks.sessions import site as sites
from benchmarks.sessions.calls import Call, form, send
from benchmarks.sessions.customers import PATH, photo
from gateway.app import create_app
from gateway.metrics import Metrics
from gateway.resources import open_resources
from gateway.settings.tree import Settings

_TOKEN: Final = {"x-user-token": "m" * 32}
_NOWHERE: Final = "http://127.0.0.1:9"
_ROUNDS: Final = 5
_CALLS: Final[Mapping[str, int]] = {"create": 40, "get": 200, "events": 200}


@dataclass(frozen=True, slots=True)
class Cost:
    """One call, in ms: the median on the clock, and the processor's time of all threads."""

    p50_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Overhead:
    """A call of ours beside the same of the bare application."""

    call: str
    bare: Cost
    gateway: Cost

    @property
    def added_ms(self) -> float:
        """What ours takes longer, at the median."""
        return self.gateway.p50_ms - self.bare.p50_ms


async def measure() -> Sequence[Overhead]:
    """Both, by turns; each the best of several rounds, as others share the machine."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    async with _embedded() as (ours, folder):
        created = await send(ours, _create())
        told = created.json
        bare = _bare(told, folder)
        events = f"{PATH}/{told['session_id']}/events?after=2"  # its end, as of the bare one
        await send(ours, Call("POST", f"{PATH}/{told['session_id']}/cancel", _TOKEN))
        calls = {
            "create": _create(),
            "get": Call("GET", f"{PATH}/{told['session_id']}", _TOKEN),
            "events": Call("GET", events, _TOKEN),
        }
        return [
            Overhead(name, *await _both(bare, ours, call, _CALLS[name]))
            for name, call in calls.items()
        ]


def table(measured: Sequence[Overhead]) -> str:
    """The table to print."""
    columns = ("call", "bare p50 ms", "gateway p50 ms", "added ms", "bare CPU ms", "gateway CPU ms")
    rows = [
        (
            one.call,
            f"{one.bare.p50_ms:.2f}",
            f"{one.gateway.p50_ms:.2f}",
            f"{one.added_ms:.2f}",
            f"{one.bare.cpu_ms:.2f}",
            f"{one.gateway.cpu_ms:.2f}",
        )
        for one in measured
    ]
    return report.table(columns, rows)


async def _both(bare: ASGIApp, ours: ASGIApp, call: Call, times: int) -> tuple[Cost, Cost]:
    rounds = [
        (await _cost(bare, call, times), await _cost(ours, call, times)) for _ in range(_ROUNDS)
    ]
    return _best([one for one, _ in rounds]), _best([one for _, one in rounds])


def _best(rounds: Sequence[Cost]) -> Cost:
    return Cost(min(one.p50_ms for one in rounds), min(one.cpu_ms for one in rounds))


async def _cost(app: ASGIApp, call: Call, times: int) -> Cost:
    walls = []
    begun = time.process_time()
    for _ in range(times):
        at = time.perf_counter()
        answer = await send(app, call)
        walls.append(time.perf_counter() - at)
        assert answer.status in {200, 201}, answer  # noqa: S101 - else nothing was measured
    spent = time.process_time() - begun
    return Cost(1000 * statistics.median(walls), 1000 * spent / times)


def _create() -> Call:
    body, headers = form([("user_image", photo(1)), ("garment_image", photo(2))])
    return Call("POST", PATH, {**_TOKEN, **headers}, body)


@asynccontextmanager
async def _embedded() -> AsyncIterator[tuple[FastAPI, Path]]:
    """A gateway as it is when it is told nothing: SQLite, and a folder; nothing is made."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings.model_validate(
            {
                "storage": {"url": (folder / "objects").as_uri()},
                "torchserve": {"inference_url": _NOWHERE, "management_url": _NOWHERE},
                "tryon": {"engines_dir": sites.engines(folder)},
                "sessions": {"is_running": False},
                "limits": sites.LIMITS,
            }
        )
        opened = open_resources(settings, Metrics())
        resources = await stack.enter_async_context(opened)
        yield create_app(settings, resources), folder


def _bare(told: Mapping[str, Any], folder: Path) -> FastAPI:
    """An application without anything around it."""
    app = FastAPI()
    database = sqlite3.connect(folder / "bare.sqlite", check_same_thread=False)
    for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        database.execute(line)
    database.execute("CREATE TABLE made (id TEXT PRIMARY KEY, told TEXT)")

    def keep(pictures: Sequence[bytes]) -> None:
        name = token_hex(16)
        for number, picture in enumerate(pictures):
            with (folder / f"{name}-{number}").open("wb") as file:
                file.write(_normalised(picture))
        with database:
            database.execute("INSERT INTO made VALUES (?, ?)", (name, json.dumps(told)))

    @app.post(PATH, status_code=201)
    async def create(user_image: UploadFile, garment_image: UploadFile) -> dict[str, Any]:
        await asyncio.to_thread(keep, [await user_image.read(), await garment_image.read()])
        return dict(told)

    @app.get(PATH + "/{session_id}")
    async def get(session_id: str) -> dict[str, Any]:
        return {**told, "session_id": session_id}

    @app.get(PATH + "/{session_id}/events")
    async def events(session_id: str) -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"retry: 1000\n\n"
            yield b"id: 3\nevent: state\ndata: %b\n\n" % session_id.encode()

        return StreamingResponse(lines(), media_type="text/event-stream")

    return app


def _normalised(picture: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()
