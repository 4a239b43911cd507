"""Photos that are lent go with the session that they are of, whoever dies meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_bytes
from typing import Final

import pytest

from gateway.adapters.clock import SystemClock
from gateway.adapters.objects import ObjectStoreAdapter
from gateway.domain.names import Folder
from gateway.domain.signatures import verify
from gateway.errors.kinds import NotFound, StorageFailed
from gateway.services.lending import LendingService
from gateway.services.results import PATH, LinkRules
from tests.gateway.sessions.workshop import Place, Sessions, opened

pytestmark = pytest.mark.anyio

SECRET: Final = b"secret"


class Refusing(ObjectStoreAdapter):
    """Does not erase what it is asked to erase first."""

    refused: str | None = None

    async def delete(self, key: str) -> None:
        self.refused = self.refused or key
        if key == self.refused:
            raise StorageFailed
        await super().delete(key)


def lending_of(store: ObjectStoreAdapter) -> LendingService:
    return LendingService(store, SystemClock(), token_bytes, LinkRules(SECRET, 60, ""), 600)


def name_in(url: str) -> str:
    """The name in a link, which is good."""
    path, _, query = url.partition("?")
    told = dict(part.split("=") for part in query.split("&"))
    verify(SECRET, path, told["expires"], told["signature"], SystemClock().now())
    return path.removeprefix(PATH)


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    place = Place(f"sqlite:///{tmp_path}/vton.db", f"file://{tmp_path}/objects")
    async with opened(place, SystemClock(), ["whole"]) as made:
        yield made


async def test_what_a_gateway_lent_that_died_is_erased_with_its_session(
    sessions: Sessions,
) -> None:
    mine = await sessions.accept("whole", SystemClock().now())
    lending = lending_of(sessions.store).lent(b"a face", place=mine)
    (url,) = await lending.__aenter__()
    name = name_in(url)
    assert (await sessions.results.open(name)).content == b"a face"
    await sessions.service.delete(mine, "whole")
    with pytest.raises(NotFound):
        await sessions.results.open(name)
    assert [key async for key in sessions.store.keys("")] == []


@pytest.mark.parametrize(
    ("place", "stands", "left"), [("a" * 32, True, 1), ("a" * 32, False, 0), ("", True, 0)]
)
async def test_what_a_session_lent_for_what_still_stands_is_left_with_it(
    place: str,
    stands: bool,  # noqa: FBT001
    left: int,
) -> None:
    store = ObjectStoreAdapter("memory://")
    with pytest.raises(asyncio.CancelledError):
        async with lending_of(store).lent(b"a face", place=place, stands=lambda: stands):
            raise asyncio.CancelledError
    assert len([key async for key in store.keys("")]) == left


async def test_one_that_cannot_be_taken_back_keeps_no_other_and_spoils_no_work() -> None:
    store = Refusing("memory://")
    async with lending_of(store).lent(b"a face", b"a shirt") as urls:
        assert len([key async for key in store.keys(Folder.RESULTS)]) == len(urls) == 2
    assert [key async for key in store.keys("")] == [store.refused]
