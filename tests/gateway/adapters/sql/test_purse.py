"""What keys cost, as several gateways write it down, in either database."""

import asyncio

import pytest

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.keys import SqlKeyBook
from gateway.adapters.sql.purse import SqlPurse
from gateway.domain.api_keys import ApiKey
from gateway.domain.identity import Scope
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

KEY = "a" * 12
DAY_S = 86_400


async def kept(database: Database, clock: ManualClock, key_id: str = KEY) -> SqlKeyBook:
    book = SqlKeyBook(database, clock)
    scopes = frozenset({Scope.TRYON})
    assert await book.add(ApiKey(key_id, "user:me", "shop", "d" * 64, scopes, clock.now()), 9)
    return book


async def test_gateways_that_charge_at_once_lose_nothing(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    await kept(database, clock)
    other = Database(database_url, pool_size=5, timeout_s=60)
    try:
        purses = [SqlPurse(one, clock) for one in (database, other)]
        await asyncio.gather(*(purse.charge(KEY, 0.25) for _ in range(20) for purse in purses))
        assert [await purse.spent_s(KEY) for purse in purses] == [10.0, 10.0]
    finally:
        await other.close()


async def test_a_new_day_begins_with_nothing_spent(database: Database, clock: ManualClock) -> None:
    book, purse = await kept(database, clock), SqlPurse(database, clock)
    await kept(database, clock, "b" * 12)
    await purse.charge(KEY, 1.5)
    await purse.charge(KEY, 2.0)
    assert await purse.spent_s(KEY) == 3.5
    assert [one.gpu_s_today for one in await book.of("user:me")].count(3.5) == 1
    clock.time_s += DAY_S
    assert await purse.spent_s(KEY) == 0
    found = await book.find(KEY)
    assert found is not None
    assert found.gpu_s_today == 0
    await purse.charge(KEY, 0.5)
    assert await purse.spent_s(KEY) == 0.5


async def test_a_clock_that_is_behind_at_midnight_takes_nothing_back(
    database: Database, clock: ManualClock
) -> None:
    await kept(database, clock)
    late = ManualClock(clock.time_s - DAY_S)
    purse, behind = SqlPurse(database, clock), SqlPurse(database, late)
    await purse.charge(KEY, 2.0)
    await behind.charge(KEY, 1.0)
    assert await purse.spent_s(KEY) == await behind.spent_s(KEY) == 3.0


async def test_a_key_that_is_none_costs_nothing(database: Database, clock: ManualClock) -> None:
    purse = SqlPurse(database, clock)
    await purse.charge("c" * 12, 1.0)
    assert await purse.spent_s("c" * 12) == 0
