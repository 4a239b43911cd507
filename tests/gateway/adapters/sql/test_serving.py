"""Items that others may make in the place of their engine, in both databases."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Row, Select

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.due import Due, is_in_time
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.adapters.sql.serving import first_of, has_enough, served
from tests.gateway.adapters.sql.drafts import ENGINE, draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


async def test_what_may_be_made_by_another_is_claimed_for_it_alone(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = draft(clock.now())
    asks = tuple(replace(ask, alternatives=("idm_vton", "other")) for ask in made.asks)
    await book.create(replace(made, asks=asks))
    assert await queue.claim("one", [], {}) is None
    assert await queue.claim("one", ["idm_vton"], {"another": ["idm_vton"]}) is None
    for stranger in ("vton", "idm-vton", "idmxvton", "%"):
        assert await queue.claim("one", [], {ENGINE: [stranger]}) is None
    claim = await queue.claim("one", ["idm_vton"], {ENGINE: ["geometric", "idm_vton"]})
    assert claim is not None
    assert (claim.engine, claim.ask.alternatives) == (ENGINE, ("idm_vton", "other"))


async def test_what_only_its_engine_honours_waits_for_it(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    assert made.session.items[0].ask.alternatives == ()
    assert await queue.claim("one", ["other"], {ENGINE: ["other"]}) is None


async def test_however_many_have_enough_whoever_stands_behind_them_is_next(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    for place in range(5):
        await book.create(draft(clock.now() - 100, items=4, owner=f"shop-{place}"))
    last = await book.create(draft(clock.now()))
    claims = [await queue.claim("one", [ENGINE]) for _ in range(12)]
    owners = [claim.owner for claim in claims if claim is not None]
    assert sorted(owners[:10]) == sorted(2 * [f"shop-{place}" for place in range(5)])
    assert (owners[10:], claims[11]) == ([last.session.owner], None)


async def test_a_queue_is_read_in_its_order_and_only_up_to_its_first(database: Database) -> None:
    if database.is_postgres:
        pytest.skip("Postgres plans by what is in its tables: here next to nothing")
    waits, [mine] = Due(max_tries=3, horizon_s=300).waits(1.0), served([ENGINE], {})
    asked = first_of(waits, mine, ~has_enough(2, 1.0), *is_in_time(1.0))
    rows = await database.read(lambda connection: _plan(connection, asked))
    plan = [row.detail for row in rows]
    assert plan[0].endswith("USING INDEX ix_session_items_queue (state=? AND engine=?)")
    assert not [step for step in plan if "FOR ORDER BY" in step]


def _plan(connection: Connection, asked: Select[Any]) -> Sequence[Row[Any]]:
    spelt = asked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    return connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {spelt}").all()
