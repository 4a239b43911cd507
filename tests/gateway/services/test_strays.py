"""Folders of sessions that there are no rows of: in any number, in bounded memory."""

from collections.abc import AsyncIterator, Collection
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Final

import pytest

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.migrating import open_database
from gateway.domain.names import Folder, Keeping, ObjectName
from gateway.errors.kinds import DatabaseFailed
from gateway.metrics import Metrics
from gateway.services.retention import RetentionService
from gateway.services.strays import Strays
from gateway.services.worker_memory import WorkerMemory
from tests.gateway.running import ManualClock
from tests.gateway.sessions.workshop import Drawer

pytestmark = pytest.mark.anyio

MANY: Final = 1_200
LONG_S: Final = 900


class CountedStore(ObjectStoreAdapter):
    """Counts how many keys have been told at once that are not erased."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.most_held = 0
        self._held = 0

    async def keys(self, folder: str) -> AsyncIterator[str]:
        async for key in super().keys(folder):
            self._held += 1
            self.most_held = max(self.most_held, self._held)
            yield key

    async def delete(self, key: str) -> None:
        await super().delete(key)
        self._held -= 1


class Rows(SqlEraser):
    """The rows of a database that is away when it is told to be."""

    is_away = False

    async def missing(self, session_ids: Collection[str]) -> frozenset[str]:
        if self.is_away:
            raise DatabaseFailed
        return await super().missing(session_ids)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def rows(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Rows]:
    async with open_database(f"sqlite:///{tmp_path}/sessions.sqlite", 2, 60) as database:
        yield Rows(database, clock)


def retention(store: ObjectStoreAdapter, rows: Rows, clock: ManualClock) -> RetentionService:
    return RetentionService(store, rows, clock, Metrics(), WorkerMemory(Drawer(), ()))


async def fill(store: ObjectStoreAdapter, expires_at: float, count: int) -> None:
    for _ in range(count):
        name = ObjectName.new(Keeping(expires_at, token_hex(16)), token_bytes(16), "jpg")
        await store.put(name.key(Folder.RESULTS), b"x", "image/jpeg")


@pytest.mark.parametrize("kind", ["memory", "folder"])
async def test_however_much_there_is_the_sweep_holds_a_page_of_it(
    tmp_path: Path, rows: Rows, clock: ManualClock, kind: str
) -> None:
    store = CountedStore("memory://" if kind == "memory" else f"file://{tmp_path}/objects")
    await fill(store, clock.now(), MANY)
    assert await retention(store, rows, clock).sweep() == MANY
    assert store.most_held < MANY / 2
    assert [key async for key in store.keys("")] == []


async def test_strays_are_found_page_by_page_and_by_time(rows: Rows, clock: ManualClock) -> None:
    store = ObjectStoreAdapter("memory://")
    await fill(store, clock.now() + 2 * LONG_S, MANY)
    sweeping = retention(store, rows, clock)
    assert await sweeping.sweep() == 0
    clock.time_s += LONG_S - 1
    assert await sweeping.sweep() == 0
    clock.time_s += 1
    assert await sweeping.sweep() == MANY


async def test_what_the_database_cannot_tell_is_no_stray_and_is_not_forgotten(
    rows: Rows, clock: ManualClock
) -> None:
    store = ObjectStoreAdapter("memory://")
    await fill(store, clock.now() + 2 * LONG_S, 3)
    sweeping = retention(store, rows, clock)
    assert await sweeping.sweep() == 0
    clock.time_s += LONG_S
    rows.is_away = True
    assert await sweeping.sweep() == 0
    rows.is_away = False
    assert await sweeping.sweep() == 3


async def test_a_session_that_is_there_again_is_missing_from_anew(
    rows: Rows, clock: ManualClock
) -> None:
    strays = Strays(rows, clock)
    with strays.walk():
        assert await strays.among({"one"}) == frozenset()
    with strays.walk():
        pass
    clock.time_s += LONG_S
    with strays.walk():
        assert await strays.among({"one"}) == frozenset()


async def test_those_beyond_the_bound_have_their_turn_when_there_is_room(
    rows: Rows, clock: ManualClock
) -> None:
    strays, left = Strays(rows, clock, most=2), {f"session-{number}" for number in range(5)}
    for _ in range(3):
        with strays.walk():
            await strays.among(left)
        clock.time_s += LONG_S
        with strays.walk():
            found = await strays.among(left)
        assert len(found) in {1, 2}
        left -= found
        with strays.walk():
            await strays.among(left)
    assert left == set()
