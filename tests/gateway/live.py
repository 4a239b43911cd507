"""A gateway on a port whose worker takes steps when it may, and what its watchers read."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import uvicorn
from websockets.asyncio.client import connect

from gateway.adapters.notices_memory import MemoryNotices
from tests.gateway.running import HANGS_S, Gateway
from tests.gateway.served import server_of, url_of
from tests.gateway.steps_stand_in import SteppingStandIn, stepping_gateway

PATH: Final = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
FOREIGN = {"X-User-Token": "f" * 32}
QUICK = {"poll_s": 0.05, "beat_s": 0.05, "progress_s": 0.001, "retry_first_s": 0.01}


@dataclass
class Told:
    """One event, as a client reads it."""

    name: str
    data: dict[str, Any]
    number: int | None


def read(block: str) -> Told:
    lines = dict(line.split(": ", 1) for line in block.split("\n"))
    return Told(
        lines["event"], json.loads(lines["data"]), int(lines["id"]) if "id" in lines else None
    )


def all_of(text: str) -> list[Told]:
    return [read(block) for block in text.split("\n\n") if "event: " in block]


class OneByOne(asyncio.Event):
    """Lets one step pass each time that it is set."""

    async def wait(self) -> Literal[True]:
        await super().wait()
        self.clear()
        return True


@dataclass
class Live:
    """A gateway on a port, and how its worker is told to take steps."""

    gateway: Gateway
    steps: SteppingStandIn
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return url_of(self.server)

    async def create(self, **fields: object) -> str:
        files = {
            "user_image": ("p.jpg", self.gateway.person, "image/jpeg"),
            "garment_image": ("g.jpg", self.gateway.garment, "image/jpeg"),
        }
        told = {name: str(value) for name, value in fields.items()}
        answer = await self.gateway.client.post(PATH, headers=MINE, files=files, data=told)
        session_id: str = answer.json()["session_id"]
        return session_id

    async def get(self, session_id: str) -> dict[str, Any]:
        answer = await self.gateway.client.get(f"{PATH}/{session_id}", headers=MINE)
        session: dict[str, Any] = answer.json()
        return session

    async def events(self, session_id: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{PATH}/{session_id}/events"
        return await self.gateway.client.get(url, headers=MINE | named)

    @asynccontextmanager
    async def streamed(self, session_id: str) -> AsyncIterator[AsyncIterator[str]]:
        """The blocks of a session's stream as they come."""
        url = f"{self.url}{PATH}/{session_id}/events"
        async with (
            httpx.AsyncClient(timeout=HANGS_S) as client,
            client.stream("GET", url, headers=MINE) as answer,
        ):
            yield blocks(answer)

    def socket(
        self, session_id: str, headers: Mapping[str, str] = MINE, query: str = ""
    ) -> connect:
        url = f"{self.url.replace('http', 'ws', 1)}/ws/tryon/{session_id}{query}"
        return connect(url, additional_headers=headers, open_timeout=HANGS_S)

    def nobody_listens(self) -> bool:
        notices = self.gateway.resources.watch._notices
        assert isinstance(notices, MemoryNotices)
        watched = [topic for topic in notices._listening if topic.startswith("session:")]
        return not watched and not notices._watching

    def nobody_watches(self) -> bool:
        """Nothing is left of any watcher, and every place is free again."""
        return self.nobody_listens() and self.gateway.resources.watch.room.taken == 0


async def blocks(answer: httpx.Response) -> AsyncIterator[str]:
    lines: list[str] = []
    async for line in answer.aiter_lines():
        if line:
            lines.append(line)
            continue
        yield "\n".join(lines)
        lines = []


@asynccontextmanager
async def live_gateway(folder: Path, **http: float) -> AsyncIterator[Live]:
    """A gateway that looks for work often, and hurries to say that it is still there."""
    http = {"still_here_s": 0.05, **http}
    async with (
        stepping_gateway(folder, sessions=QUICK, http=http) as (gateway, steps),
        server_of(gateway) as server,
    ):
        yield Live(gateway, steps, server)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(HANGS_S):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
