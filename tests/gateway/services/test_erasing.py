"""Erasing sessions: what fails keeps nothing else from going, and memory does not grow."""

import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.eraser import SqlEraser
from gateway.assembly.erasing import Erasing, Outside, erasing
from gateway.errors.kinds import NotFound, StorageFailed
from gateway.services.erasing import ErasingService
from tests.gateway.adapters.sql.drafts import draft
from tests.gateway.running import ManualClock
from tests.gateway.sessions.workshop import DAY_S, Place, Sessions, opened

pytestmark = pytest.mark.anyio

STUCK: Final = "00-stuck-"
MORE_THAN_A_PAGE: Final = 120
BIG_BYTES: Final = 2**20


class Stubborn(ObjectStoreAdapter):
    """Erases nothing of some sessions."""

    is_stubborn = True

    async def keys(self, folder: str) -> AsyncIterator[str]:
        if self.is_stubborn and STUCK in folder:
            raise StorageFailed
        async for key in super().keys(folder):
            yield key


class Grudging(ObjectStoreAdapter):
    """Lets go of everything but one object."""

    kept: str | None = None

    async def delete(self, key: str) -> None:
        if key == self.kept:
            raise StorageFailed
        await super().delete(key)


class Broken(ObjectStoreAdapter):
    """Fails in a way that nobody foresaw, in the folders of some sessions."""

    async def keys(self, folder: str) -> AsyncIterator[str]:
        if STUCK in folder:
            message = "unforeseen"
            raise ValueError(message)
        async for key in super().keys(folder):
            yield key


class Heavy(ObjectStoreAdapter):
    """Every photo in it is big."""

    async def get(self, key: str) -> bytes | None:
        return None if await super().get(key) is None else bytes(BIG_BYTES)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sessions(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Sessions]:
    place = Place(f"sqlite:///{tmp_path}/vton.db", f"file://{tmp_path}/objects")
    async with opened(place, clock, ["whole"]) as made:
        yield made


def erasing_by(sessions: Sessions, store: ObjectStoreAdapter) -> Erasing:
    ground, database = sessions.erasing.ground, sessions.book._database
    rows, lines = SqlEraser(database, ground.clock), SqlAuditLog(database)
    outside = Outside(rows, lines, sessions.models, ground.engines)
    return erasing(replace(ground, store=store), outside, sessions.erasing.rules)


async def test_however_many_cannot_be_erased_all_others_are(
    sessions: Sessions, tmp_path: Path, clock: ManualClock
) -> None:
    store = Stubborn(f"file://{tmp_path}/objects")
    job = erasing_by(sessions, store).sessions
    for number in range(MORE_THAN_A_PAGE):
        stuck = replace(draft(clock.now()), session_id=f"{STUCK}{number}")
        await sessions.book.create(stuck)
    fine = [await sessions.accept("whole", clock.now()) for _ in range(2)]
    clock.time_s += DAY_S + 1
    assert await job.erase_due() == len(fine)
    assert [key async for key in store.keys("uploads")] == []
    store.is_stubborn = False
    assert await job.erase_due() == MORE_THAN_A_PAGE


async def test_of_all_photos_of_a_session_one_is_held_at_a_time(
    sessions: Sessions, tmp_path: Path, clock: ManualClock
) -> None:
    job = erasing_by(sessions, Heavy(f"file://{tmp_path}/objects")).sessions
    await sessions.accept("whole", clock.now(), items=10)
    clock.time_s += DAY_S + 1
    tracemalloc.start()
    try:
        assert await job.erase_due() == 1
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 5 * BIG_BYTES


async def test_what_nobody_foresaw_of_one_session_keeps_no_other(
    sessions: Sessions, tmp_path: Path, clock: ManualClock
) -> None:
    job = erasing_by(sessions, Broken(f"file://{tmp_path}/objects")).job
    await sessions.book.create(replace(draft(clock.now()), session_id=f"{STUCK}1"))
    await sessions.accept("whole", clock.now())
    clock.time_s += DAY_S + 1
    erased = await job.run()
    assert erased["sessions"] == 1
    assert [one.session_id for one in await sessions.book.to_erase(10)] == [f"{STUCK}1"]


async def test_a_kind_of_work_that_breaks_keeps_no_other(sessions: Sessions) -> None:
    async def broken() -> int:
        raise ValueError

    async def fine() -> int:
        return 3

    job = ErasingService(sessions.erasing.sessions._on, {"broken": broken, "fine": fine})
    assert await job.run() == {"fine": 3}


async def test_of_a_picture_that_stays_its_session_stays_and_nothing_else(
    sessions: Sessions, tmp_path: Path, clock: ManualClock
) -> None:
    store = Grudging(f"file://{tmp_path}/objects")
    job = erasing_by(sessions, store).sessions
    stuck = await sessions.accept("whole", clock.now(), items=2)
    await sessions.accept("whole", clock.now())
    store.kept = min([key async for key in store.keys(f"uploads/{stuck}")])
    clock.time_s += DAY_S + 1
    assert await job.erase_due() == 1
    assert [key async for key in store.keys("uploads")] == [store.kept]
    with pytest.raises(NotFound):
        await job.receipt(stuck, "whole")
    store.kept = None
    assert await job.erase_due() == 1
    assert (await job.receipt(stuck, "whole"))["reason"] == "expired"
    assert [key async for key in store.keys("uploads")] == []


async def test_workers_are_told_once_of_all_that_is_due(
    sessions: Sessions, clock: ManualClock
) -> None:
    """One that hangs is waited for once."""
    due = [await sessions.accept("whole", clock.now()) for _ in range(3)]
    clock.time_s += DAY_S + 1
    assert await sessions.service.erase_due() == 3
    (told,) = sessions.models.told
    assert told.params["task"] == "forget"
    for session_id in due:
        receipt = await sessions.service.receipt(session_id, "whole")
        assert receipt["workers_told"] == 1
        erased = receipt["erased"]
        assert isinstance(erased, dict)
        assert erased["photos"] == 2
        assert "cache_entries" not in erased  # which of those dropped were its own?


async def test_a_receipt_says_that_the_owner_asked_however_late_it_is_erased(
    sessions: Sessions, tmp_path: Path, clock: ManualClock
) -> None:
    store = Grudging(f"file://{tmp_path}/objects")
    job = erasing_by(sessions, store).sessions
    asked = await sessions.accept("whole", clock.now())
    store.kept = min([key async for key in store.keys("uploads")])
    forgotten = await sessions.book.forget(asked, "whole")
    assert forgotten is not None
    with pytest.raises(StorageFailed):
        await job.erase(forgotten)
    store.kept = None
    clock.time_s += DAY_S + 1
    assert await job.erase_due() == 1
    assert (await job.receipt(asked, "whole"))["reason"] == "asked"
