"""What was accepted is answered so, whatever happens to the one who waits for its end."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.anyio

PATH = "/api/v1/tryon/sessions"
BATCHES = "/api/v1/tryon/batches"
HOOK = {"webhook_url": "https://1.1.1.1/hook"}
NOTHING: Mapping[str, str] = MappingProxyType({})


class Database:
    """A gateway's database, as somebody else sees it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "sessions.sqlite"

    async def has_accepted(self) -> None:
        """Wait for a session."""
        async with asyncio.timeout(20):
            while not await self._ask("SELECT id FROM sessions"):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    async def go_away(self) -> None:
        await self._ask("ALTER TABLE sessions RENAME TO away")

    async def come_back(self) -> None:
        await self._ask("ALTER TABLE away RENAME TO sessions")

    async def _ask(self, statement: str) -> list[Any]:
        return await asyncio.to_thread(self._asked, statement)

    def _asked(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self._file, timeout=20)) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that accepts, and makes nothing."""
    idle = {"is_running": False, "poll_s": 0.05}
    async with running_gateway(tmp_path, sessions=idle) as running:
        yield running


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path)


async def ask(
    gateway: Gateway,
    path: str,
    query: Mapping[str, str] = NOTHING,
    headers: Mapping[str, str] = NOTHING,
) -> httpx.Response:
    """Ask as a visitor without a token does, unless told otherwise, and wait for the end."""
    told = {"Prefer": "wait=50", **headers}
    person = ("p.jpg", gateway.person, "image/jpeg")
    garment = ("g.jpg", gateway.garment, "image/jpeg")
    if path == PATH:
        files = {"user_image": person, "garment_image": garment}
        return await gateway.client.post(path, headers=told, files=files, params=query)
    named = [(await gateway.upload(one)).json()["upload_id"] for one in (person, garment)]
    people, garments = (
        [{field: {"upload_id": name}}]
        for field, name in zip(("user_image", "garment_image"), named, strict=True)
    )
    body = {"people": people, "garments": garments}
    return await gateway.client.post(path, headers=told, json=body, params=query)


@pytest.mark.parametrize("path", [PATH, BATCHES])
@pytest.mark.parametrize("query", [HOOK, NOTHING], ids=["webhook", "alone"])
async def test_a_database_that_goes_away_meanwhile_takes_nothing_back(
    gateway: Gateway, database: Database, path: str, query: Mapping[str, str]
) -> None:
    asking = asyncio.create_task(ask(gateway, path, query))
    await database.has_accepted()
    await database.go_away()
    answer = await asking
    await database.come_back()
    body = answer.json()
    assert (answer.status_code, body["state"]) == (201, "created")
    own = {"X-User-Token": answer.headers["x-user-token"]}
    found = await gateway.client.get(answer.headers["location"], headers=own)
    assert found.json()["session_id"] == body["session_id"]
    assert (body["webhook"] is not None) == (query == HOOK)
    if query:
        assert body["webhook"]["session_id"] == body["session_id"]
        Webhook(body["webhook"]["secret"])


async def test_who_erases_it_meanwhile_had_it_accepted(
    gateway: Gateway, database: Database
) -> None:
    own = {"X-User-Token": "m" * 32}
    asking = asyncio.create_task(ask(gateway, PATH, headers=own))
    await database.has_accepted()
    (listed,) = (await gateway.client.get(PATH, headers=own)).json()["sessions"]
    assert (await gateway.client.delete(listed["urls"]["self"], headers=own)).status_code == 200
    answer = await asking
    assert (answer.status_code, answer.json()["session_id"]) == (201, listed["session_id"])
