"""Whoever watches takes a place, and no session's and no owner's watchers take them all."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.live import FOREIGN, MINE, PATH, until
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.gateway.served import served
from tests.gateway.socket_asking import asked_by_socket

pytestmark = pytest.mark.anyio


@dataclass
class Watched:
    """A gateway whose sessions stay as they are, and its address."""

    gateway: Gateway
    url: str

    async def links(self, owner: dict[str, str]) -> dict[str, str]:
        """The links of a new session."""
        named = {"user_image": self.gateway.person, "garment_image": self.gateway.garment}
        files = {name: ("photo.jpg", content, "image/jpeg") for name, content in named.items()}
        answer = await self.gateway.client.post(PATH, headers=owner, files=files)
        links: dict[str, str] = answer.json()["urls"]
        return links

    @asynccontextmanager
    async def stream(self, link: str) -> AsyncIterator[None]:
        """Watch for the length of the block."""
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=HANGS_S) as client,
            client.stream("GET", link) as answer,
        ):
            assert answer.status_code == 200
            watching = self.taken
            yield
        await until(lambda: self.taken == watching - 1)

    @property
    def taken(self) -> int:
        return self.gateway.resources.watch.room.taken

    async def refused(self, link: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        answer = await self.gateway.client.get(link, headers=headers)
        assert answer.headers["Retry-After"]
        return answer.status_code, answer.json()["error_code"]


@asynccontextmanager
async def watching(folder: Path, **most: int) -> AsyncIterator[Watched]:
    sessions: dict[str, Any] = {"is_running": False, **most}
    async with running_gateway(folder, sessions=sessions) as gateway, served(gateway) as url:
        yield Watched(gateway, url)


async def test_one_link_takes_no_more_places_than_a_session_has(tmp_path: Path) -> None:
    async with watching(tmp_path, watchers_per_session=2) as here, AsyncExitStack() as others:
        mine, foreign = await here.links(MINE), await here.links(FOREIGN)
        await others.enter_async_context(here.stream(mine["events"]))
        async with here.stream(mine["events"]):
            assert await here.refused(mine["events"]) == (429, "RATE_3005")
            own = mine["events"].partition("?")[0]
            assert await here.refused(own, MINE) == (429, "RATE_3005")
            app = here.gateway.client._transport.app  # type: ignore[attr-defined]
            by_socket = await asked_by_socket(app, mine["socket"], {})
            assert (by_socket.status_code, by_socket.json()["details"]) == (429, {"session": 2})
            async with here.stream(foreign["events"]):
                pass
        await others.enter_async_context(here.stream(mine["events"]))


async def test_one_owner_takes_no_more_places_than_are_his(tmp_path: Path) -> None:
    async with watching(tmp_path, watchers_per_user=2) as here, AsyncExitStack() as others:
        first, second, third = [await here.links(MINE) for _ in range(3)]
        for each in (first, second):
            await others.enter_async_context(here.stream(each["events"]))
        assert await here.refused(third["events"]) == (429, "RATE_3005")
        async with here.stream((await here.links(FOREIGN))["events"]):
            pass


async def test_where_all_places_are_taken_there_is_none_for_anybody(tmp_path: Path) -> None:
    async with watching(tmp_path, max_watchers=1) as here:
        first, second = await here.links(MINE), await here.links(FOREIGN)
        async with here.stream(first["events"]):
            assert await here.refused(second["events"]) == (503, "RATE_3002")
        async with here.stream(second["events"]):
            pass
