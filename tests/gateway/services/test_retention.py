from pathlib import Path

import pytest

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.migrating import open_database
from gateway.domain.names import Folder, Keeping, ObjectName
from gateway.errors.kinds import StorageFailed
from gateway.metrics import Metrics
from gateway.services.retention import RetentionService
from gateway.services.worker_memory import WorkerMemory
from tests.gateway.identity.crowd import pictures_of
from tests.gateway.running import Gateway, ManualClock
from tests.gateway.sessions.workshop import Drawer

pytestmark = pytest.mark.anyio


async def keys(gateway: Gateway) -> list[str]:
    return sorted([key async for key in gateway.resources.store.keys("")])


async def test_what_has_expired_is_erased_and_nothing_else(gateway: Gateway) -> None:
    store, now = gateway.resources.store, gateway.clock.now()
    over, alive = (ObjectName.new(Keeping(at), bytes(16), "jpg") for at in (now, now + 1))
    kept = [alive.key(Folder.RESULTS), "results/not-ours.txt", "elsewhere/file"]
    for key in (over.key(Folder.RESULTS), over.key(Folder.UPLOADS), *kept):
        await store.put(key, b"x", "image/jpeg")
    assert await gateway.resources.erasing.retention.sweep() == 2
    assert await keys(gateway) == sorted(kept)


class Grudging(ObjectStoreAdapter):
    """Neither gives nor lets go of one object."""

    kept = ""

    async def get(self, key: str) -> bytes | None:
        if key == self.kept:
            raise StorageFailed
        return await super().get(key)

    async def delete(self, key: str) -> None:
        if key == self.kept:
            raise StorageFailed
        await super().delete(key)


@pytest.mark.parametrize("folder", list(Folder))
async def test_what_the_store_keeps_to_itself_keeps_nothing_else(
    folder: Folder, tmp_path: Path
) -> None:
    store, clock = Grudging("memory://"), ManualClock()
    for number in range(3):
        name = ObjectName.new(Keeping(clock.now()), bytes([number] * 16), "jpg")
        await store.put(name.key(folder), b"x", "image/jpeg")
    _, store.kept, _ = sorted([key async for key in store.keys("")])
    memory = WorkerMemory(Drawer(), ())
    async with open_database(f"sqlite:///{tmp_path}/vton.db", 2, 10) as database:
        rows = SqlEraser(database, clock)
        retention = RetentionService(store, rows, clock, Metrics(), memory)
        assert await retention.sweep() == 2
        assert [key async for key in store.keys("")] == [store.kept]
        store.kept = ""
        assert await retention.sweep() == 1


async def test_a_day_later_nothing_of_a_try_on_is_left(gateway: Gateway) -> None:
    await gateway.tryon()
    await gateway.upload(gateway.person)
    gateway.clock.time_s += 86_399
    assert await gateway.resources.erasing.retention.sweep() == 0
    gateway.clock.time_s += 1
    assert await gateway.resources.erasing.retention.sweep() == 2
    assert await keys(gateway) == []


async def test_what_is_of_no_session_is_erased_once_it_can_no_longer_be_of_a_new_one(
    gateway: Gateway,
) -> None:
    """A gateway that dies leaves photos before their session is written down."""
    answer = await gateway.client.post("/api/v1/tryon/sessions", files=pictures_of(gateway))
    mine = answer.json()["session_id"]
    stray = Keeping(gateway.clock.now() + 90 * 86_400, "0" * 32)
    key = ObjectName.new(stray, bytes(16)).key(Folder.UPLOADS)
    await gateway.resources.store.put(key, b"x", "image/png")
    retention = gateway.resources.erasing.retention
    for _ in range(2):
        assert await retention.sweep() == 0
    gateway.clock.time_s += 900
    assert key in await keys(gateway)
    assert await retention.sweep() == 1
    left = await keys(gateway)
    assert len(left) >= 2
    assert all(one.split("/")[1] == mine for one in left)
