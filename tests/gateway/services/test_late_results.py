"""A picture that a runner stores when its session is erased already goes, too, and soon."""

from collections.abc import AsyncIterator

import pytest

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.domain.names import Folder, Keeping, ObjectName
from gateway.errors.kinds import StorageFailed
from gateway.services.late_results import LateResults
from tests.gateway.running import ManualClock
from tests.gateway.sessions.workshop import DAY_S, Place, Sessions, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sessions(database_url: str, clock: ManualClock) -> AsyncIterator[Sessions]:
    async with opened(Place(database_url, "memory://"), clock, ["whole"]) as made:
        yield made


async def put_late(store: ObjectStoreAdapter, session_id: str, expires_at: float) -> str:
    key = ObjectName.new(Keeping(expires_at, session_id), bytes(16), "jpg").key(Folder.RESULTS)
    await store.put(key, b"a picture", "image/jpeg")
    return key


async def test_it_goes_a_minute_after_its_session(sessions: Sessions, clock: ManualClock) -> None:
    mine, other = [await sessions.accept("whole", clock.now()) for _ in range(2)]
    await sessions.service.delete(mine, "whole")
    kept = [key async for key in sessions.store.keys("")]
    assert all(other in key for key in kept)
    await put_late(sessions.store, mine, clock.now() + DAY_S)
    clock.time_s += 60
    await sessions.service.erase_due()
    assert [key async for key in sessions.store.keys("")] == kept


async def test_the_sweep_needs_no_second_look_where_there_is_a_receipt(
    sessions: Sessions, clock: ManualClock
) -> None:
    """Whoever erased the session may have died since."""
    mine, unknown = await sessions.accept("whole", clock.now()), "0" * 32
    await sessions.service.delete(mine, "whole")
    await put_late(sessions.store, mine, clock.now() + DAY_S)
    new = await put_late(sessions.store, unknown, clock.now() + DAY_S)
    assert await sessions.erasing.retention.sweep() == 1
    assert [key async for key in sessions.store.keys("")] == [new]


class Away(ObjectStoreAdapter):
    """Erases nothing as long as it is away."""

    is_away = True

    async def delete(self, key: str) -> None:
        if self.is_away:
            raise StorageFailed
        await super().delete(key)


async def test_what_cannot_be_erased_is_tried_again(clock: ManualClock) -> None:
    store = Away("memory://")
    late, gone = LateResults(store, clock), "f" * 32
    late.note(gone)
    await put_late(store, gone, clock.now() + DAY_S)
    clock.time_s += 60
    await late.erase()
    store.is_away = False
    clock.time_s += 60
    await late.erase()
    assert [key async for key in store.keys("")] == []
