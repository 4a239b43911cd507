"""What can never be written is told from what cannot be written now, alike on every database."""

import math

import pytest
from pydantic import JsonValue
from sqlalchemy import Connection, insert, update

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.adapters.sql.tables import idempotency_keys, session_items
from gateway.domain.results import StoredResult
from gateway.domain.sessions import Outcome
from gateway.errors.kinds import DatabaseFailed, DatabaseRefused
from tests.gateway.adapters.sql.drafts import ENGINES, OUTCOME, draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

NEVER: list[JsonValue] = ["a\0b", "\\\0", "\ud800", math.nan, [math.inf], {"\0": 1}]
EVER: list[JsonValue] = ["\\u0000", "\\\\u0000", "\U0001f600", "\x01", {"\\u0000": None}, -0.5]


def outcome(said: JsonValue) -> Outcome:
    return Outcome(StoredResult(("r1",), 2_000_000_000, {"said": said}), False, 12.5)  # noqa: FBT003


@pytest.mark.parametrize("said", NEVER)
async def test_no_database_takes_what_another_would_refuse(
    said: JsonValue, book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now()))
    claim = await queue.claim("runner", ENGINES)
    assert claim is not None
    with pytest.raises(DatabaseRefused):
        await queue.complete(claim, outcome(said))
    assert await queue.complete(claim, OUTCOME)


@pytest.mark.parametrize("said", EVER)
async def test_all_that_all_of_them_take_comes_back_as_it_was(
    said: JsonValue, book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    session_id = (await book.create(draft(clock.now()))).session_id
    claim = await queue.claim("runner", ENGINES)
    assert claim is not None
    assert await queue.complete(claim, outcome(said))
    found = await book.find(session_id, "ann")
    assert found is not None
    assert found.items[0].outcome == outcome(said)


async def test_a_row_that_may_not_be_is_refused_for_good(database: Database) -> None:
    twice = {"owner": "ann", "key": "k", "body_hash": "h", "session_id": "none", "expires_at": 1}

    def write(connection: Connection) -> None:
        connection.execute(insert(idempotency_keys).values([twice, twice]))

    with pytest.raises(DatabaseRefused):
        await database.write(write)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_text_that_postgres_cannot_hold_is_refused_for_good(database: Database) -> None:
    for runner in ("a\0b", "\ud800", "long" * 100):
        told = update(session_items).values(runner=runner)

        def write(connection: Connection, told: object = told) -> None:
            connection.execute(told)  # type: ignore[call-overload]

        with pytest.raises(DatabaseRefused):
            await database.write(write)


async def test_a_database_that_is_away_may_be_back(database: Database) -> None:
    def fall_silent(_: Connection) -> None:
        raise TimeoutError

    with pytest.raises(DatabaseFailed) as failed:
        await database.write(fall_silent)
    assert not isinstance(failed.value, DatabaseRefused)
