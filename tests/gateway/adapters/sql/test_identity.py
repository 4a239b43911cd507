"""What is kept of keys and sign-ins, in either database."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.keys import SqlKeyBook
from gateway.adapters.sql.migrating import open_database
from gateway.adapters.sql.sign_ins import SqlDenialBook, SqlRefreshBook
from gateway.domain.api_keys import ApiKey
from gateway.domain.identity import KeyLimits, Scope
from gateway.ports.identity import Turn
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, 4, 60.0) as opened:
        yield opened


def key(key_id: str, owner: str, clock: ManualClock, lives_s: float | None = None) -> ApiKey:
    return ApiKey(
        key_id=key_id,
        owner=owner,
        name="shop",
        digest="d" * 64,
        scopes=frozenset({Scope.READ, Scope.TRYON}),
        created_at=clock.now(),
        expires_at=None if lives_s is None else clock.now() + lives_s,
        limits=KeyLimits(requests_per_min=5, gpu_s_per_day=1.5),
    )


async def test_keys_are_kept_whole_and_are_their_owner_s(database: Database) -> None:
    clock = ManualClock()
    book = SqlKeyBook(database, clock)
    mine, his = key("a" * 12, "user:me", clock), key("b" * 12, "user:he", clock, 60)
    assert await book.add(mine, 1)
    assert await book.add(his, 1)
    assert not await book.add(key("c" * 12, "user:me", clock), 1)
    assert await book.find(mine.key_id) == mine
    assert await book.of("user:he") == [his]
    assert {one.key_id for one in await book.of(None)} == {mine.key_id, his.key_id}
    assert not await book.revoke(mine.key_id, "user:he")
    assert await book.revoke(mine.key_id, "user:me")
    await book.used(his.key_id)
    found = await book.find(his.key_id)
    assert found is not None
    assert found.last_used_at == clock.now()
    clock.time_s += 61
    assert await book.add(key("d" * 12, "user:he", clock), 1)
    assert await book.add(key("e" * 12, "user:me", clock), 1)


async def test_of_many_who_claim_a_refresh_one_gets_it(database: Database) -> None:
    clock = ManualClock()
    books = [SqlRefreshBook(database, clock) for _ in range(8)]
    turns = await asyncio.gather(*(book.claim("name", 10) for book in books))
    assert sorted(one.turn for one in turns) == [Turn.MINE, *[Turn.THEIRS] * 7]
    await books[0].finish("name", b"sealed", 30)
    found = await books[1].claim("name", 10)
    assert (found.turn, found.sealed) == (Turn.DONE, b"sealed")
    await books[1].release("name")
    assert (await books[1].claim("name", 10)).turn is Turn.DONE
    clock.time_s += 31
    assert await books[2].clear() == 1
    assert (await books[2].claim("name", 10)).turn is Turn.MINE
    await books[2].release("name")
    assert (await books[3].claim("name", 10)).turn is Turn.MINE
    clock.time_s += 11  # its holder is silent
    assert (await books[4].claim("name", 10)).turn is Turn.MINE
    await books[4].refuse("name", 30)
    assert (await books[5].claim("name", 10)).turn is Turn.REFUSED


async def test_a_denial_holds_until_it_is_over_and_is_never_taken_back(database: Database) -> None:
    clock = ManualClock()
    book = SqlDenialBook(database, clock)
    now = clock.now()
    assert await book.denied(["session:a", "user:b"]) == 0
    await book.deny(["user:b"], now, now + 100)
    await book.deny(["user:b"], now - 50, now + 10)
    assert await book.denied(["session:a", "user:b"]) == now
    clock.time_s += 99
    assert await book.denied(["user:b"]) == now
    assert await book.clear() == 0
    clock.time_s += 1
    assert await book.denied(["user:b"]) == 0
    assert await book.clear() == 1
