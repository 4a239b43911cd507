import pytest

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.domain.names import Folder, ObjectName
from gateway.metrics import Metrics
from gateway.services.retention import RetentionService
from gateway.services.worker_memory import WorkerMemory
from tests.gateway.running import Gateway, ManualClock
from tests.gateway.sessions.workshop import Drawer

pytestmark = pytest.mark.anyio


async def test_what_has_expired_is_erased_and_nothing_else() -> None:
    store, clock = ObjectStoreAdapter("memory://"), ManualClock(1000.0)
    over, alive = ObjectName.new(1000, bytes(16), "jpg"), ObjectName.new(1001, bytes(16), "jpg")
    kept = [alive.key(Folder.RESULTS), "results/not-ours.txt", "elsewhere/file"]
    for key in (over.key(Folder.RESULTS), over.key(Folder.UPLOADS), *kept):
        await store.put(key, b"x", "image/jpeg")
    memory = WorkerMemory(Drawer(), [])
    assert await RetentionService(store, clock, Metrics(), memory).sweep() == 2
    assert sorted([key async for key in store.keys("")]) == sorted(kept)


async def test_a_day_later_nothing_of_a_try_on_is_left(gateway: Gateway) -> None:
    await gateway.tryon()
    await gateway.upload(gateway.person)
    gateway.clock.time_s += 86_399
    assert await gateway.resources.erasing.retention.sweep() == 0
    gateway.clock.time_s += 1
    assert await gateway.resources.erasing.retention.sweep() == 2
    assert [key async for key in gateway.resources.store.keys("")] == []
