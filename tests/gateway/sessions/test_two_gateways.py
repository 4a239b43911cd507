"""Two gateways, one Postgres, one Redis, one store: made at one, watched at the other."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.gateway import pictures
from tests.gateway.live import OneByOne, Told, blocks, read
from tests.gateway.running import CONFIGURATION
from tests.gateway.steps_stand_in import STEPPING, SteppingStandIn
from tests.gateway.test_main import PORT_IN_USE, ROOT, environment
from tests.gateway.torchserve_stand_in import serve

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}


@dataclass(frozen=True)
class Other:
    """A gateway in a process of its own."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient

    async def create(self, **fields: str) -> str:
        names = ("user_image", "garment_image")
        photos = {name: pictures.jpeg((96, 120), seed=seed) for seed, name in enumerate(names)}
        files = {name: (f"{name}.jpg", photo, "image/jpeg") for name, photo in photos.items()}
        answer = await self.client.post(PATH, headers=MINE, files=files, data=fields)
        assert answer.status_code == 201, answer.text
        session_id: str = answer.json()["session_id"]
        return session_id

    @asynccontextmanager
    async def watch(self, session_id: str, after: int = 0) -> AsyncIterator[AsyncIterator[Told]]:
        """A session's events as they come."""
        url = f"{PATH}/{session_id}/events?after={after}"
        async with self.client.stream("GET", url, headers=MINE) as answer:
            assert answer.status_code == 200
            yield (read(block) async for block in blocks(answer) if "event: " in block)


@asynccontextmanager
async def another(settings: Mapping[str, str]) -> AsyncIterator[Other]:
    """A gateway that has started."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "--port", "0"),
        cwd=ROOT,
        env=environment(**settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 22,
    )
    try:
        url = await _url(process)
        draining = asyncio.create_task(_drain(process))
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            yield Other(process, client)
        draining.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    lines = []
    async for line in process.stdout:
        lines.append(line)
        message: str = json.loads(line)["message"]
        if PORT_IN_USE in message:
            return message.removeprefix(PORT_IN_USE).partition(" ")[0]
    raise AssertionError(lines)


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async for _ in process.stdout:
        """Nobody reads it."""


@pytest.fixture
async def steps(tmp_path: Path) -> AsyncIterator[tuple[SteppingStandIn, dict[str, str]]]:
    """A worker that takes steps when it may, and the settings of gateways in front of it."""
    configs = tmp_path / "config"
    configs.mkdir()
    for name, text in {**CONFIGURATION, "stepping.yaml": STEPPING}.items():
        (configs / name).write_text(text)
    stand_in = SteppingStandIn()
    async with serve(stand_in.app()) as url:
        yield (
            stand_in,
            {
                "VTON_STORAGE__URL": f"file://{tmp_path}/objects",
                "VTON_TORCHSERVE__INFERENCE_URL": url,
                "VTON_TORCHSERVE__MANAGEMENT_URL": url,
                "VTON_TRYON__ENGINES_DIR": str(configs),
                "VTON_TRYON__DEFAULT_ENGINE": "stepping",
                "VTON_SESSIONS__LEASE_S": "30",
                "VTON_SESSIONS__BEAT_S": "0.3",
                "VTON_SESSIONS__PROGRESS_S": "0.01",
            },
        )
        stand_in.may_step.set()


@pytest.fixture
def shared(postgres_url: str, redis_url: str) -> dict[str, str]:
    return {"VTON_DATABASE__URL": postgres_url, "VTON_NOTICES__URL": redis_url}


async def end_leases(shared: Mapping[str, str]) -> None:
    """Have the time be over of whatever is being made: nobody who is merely slow loses it."""
    connection = await asyncpg.connect(shared["VTON_DATABASE__URL"])
    await connection.execute("UPDATE session_items SET lease_until = 0 WHERE state = 'processing'")
    await connection.close()


async def test_what_one_gateway_makes_another_watches_to_its_end_though_the_first_is_killed(
    steps: tuple[SteppingStandIn, dict[str, str]], shared: dict[str, str]
) -> None:
    stand_in, settings = steps
    told: list[Told] = []
    async with another(settings | shared) as first:
        session_id = await first.create(preview_every="1")
        async with another(settings | shared) as second:
            async with second.watch(session_id) as events:
                async for one in events:
                    told.append(one)
                    if one.name == "progress" and one.data["stage"] == "queue":
                        if first.process.returncode is None:
                            os.kill(first.process.pid, signal.SIGKILL)
                            await first.process.wait()
                            await end_leases(shared)
                        else:
                            stand_in.may_step.set()
            session = (await second.client.get(f"{PATH}/{session_id}", headers=MINE)).json()
            picture = await second.client.get(session["items"][0]["result_urls"][0])
    assert picture.status_code == 200
    assert _numbers(told) == [*range(1, session["last_event"] + 1)]
    assert _attempts(told) == 2
    states = [one.data["state"] for one in told if one.name == "state"]
    assert states == ["created", "processing", "completed"]


async def test_previews_made_at_one_gateway_are_seen_at_another(
    steps: tuple[SteppingStandIn, dict[str, str]], shared: dict[str, str]
) -> None:
    stand_in, settings = steps
    stand_in.may_step = OneByOne()
    accepts_only = {"VTON_SESSIONS__IS_RUNNING": "false"}
    async with another(settings | shared), another(settings | shared | accepts_only) as watching:
        session_id = await watching.create(preview_every="1")
        seen: list[Told] = []
        async with watching.watch(session_id) as events:
            async for one in events:
                seen.append(one)
                if one.name == "progress" and one.data["stage"] == "queue":
                    stand_in.may_step.set()
                if one.name == "preview":
                    stand_in.may_step.set()
    assert "preview" in [one.name for one in seen]
    assert seen[-1].data["state"] == "completed"


def _attempts(told: list[Told]) -> int:
    return sum(one.name == "item" and "attempt" in one.data for one in told)


def _numbers(told: list[Told]) -> list[int]:
    return [one.number for one in told if one.number is not None]
