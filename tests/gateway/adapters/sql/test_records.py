"""Rows that another version of the gateway wrote: a deployment is updated one by one."""

from typing import Any

import pytest
from sqlalchemy import update

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.adapters.sql.records import ask_json
from gateway.adapters.sql.tables import session_items, sessions
from gateway.domain.sessions import Kind
from gateway.domain.sessions_lifecycle import State
from gateway.errors.codes import ErrorCode
from tests.gateway.adapters.sql.drafts import DAY_S, ENGINES, draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

NEWER_FAULT = {
    "error_code": "ML_4999",
    "message": "The moon is in the way.",
    "details": {"moon": 1},
    "hint": "wait",
}


@pytest.fixture
async def newer(book: SqlSessionBook, database: Database, clock: ManualClock) -> str:
    """A session of which every column that can say more says more."""
    made = draft(clock.now() - 1)
    await book.create(made)
    progress = {"stage": "dream", "step": 1, "of": 2, "mood": "calm"}
    items: dict[str, Any] = {
        "ask": {**ask_json(made.asks[0]), "weather": "mild"},
        "fault": NEWER_FAULT,
        "progress": progress,
    }
    async with database.writing() as connection:
        await connection.execute(update(sessions).values(kind="express"))
        await connection.execute(update(session_items).values(items))
    return made.session_id


async def test_its_owner_reads_it_and_his_others(
    book: SqlSessionBook, clock: ManualClock, newer: str
) -> None:
    other = await book.create(draft(clock.now()))
    listed = await book.page("ann", 10)
    assert [one.session_id for one in listed] == [other.session_id, newer]
    found = await book.find(newer, "ann")
    assert found is not None
    assert found.kind is Kind.STANDARD
    (item,) = found.items
    assert item.ask.given == {"seed": 7}
    assert item.progress is not None
    assert item.progress.stage == "dream"
    assert item.fault is not None
    assert item.fault.code is ErrorCode.INTERNAL
    assert item.fault.message == NEWER_FAULT["message"]
    assert item.fault.details == NEWER_FAULT["details"]


async def test_it_is_made_and_so_is_what_waits_behind_it(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock, newer: str
) -> None:
    other = await book.create(draft(clock.now()))
    claims = [await queue.claim("one", ENGINES) for _ in range(2)]
    assert [one.session_id for one in claims if one] == [newer, other.session_id]


async def test_it_is_forgotten_and_listed_for_erasing_with_all_that_is_over(
    book: SqlSessionBook, clock: ManualClock, newer: str
) -> None:
    other = await book.create(draft(clock.now(), owner="bob"))
    forgotten = await book.forget(newer, "ann")
    assert forgotten is not None
    assert forgotten.state is State.CANCELLED
    clock.time_s += DAY_S + 1
    due = await book.to_erase(10)
    assert {one.session_id for one in due} == {newer, other.session_id}
