import asyncio
import sqlite3
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, select, text

from gateway.adapters.sql.database import Database
from gateway.errors.kinds import CommitFailed, DatabaseFailed

pytestmark = pytest.mark.anyio

QUICKLY_S = 0.05


async def test_a_glance_that_has_to_wait_waits_in_a_thread(tmp_path: Path) -> None:
    file = tmp_path / "sessions.sqlite"
    database = Database(f"sqlite:///{file}", 1, 60)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("PRAGMA journal_mode = WAL")
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("CREATE TABLE held (number INTEGER)")
    told = select(text("count(*)")).select_from(text("held"))
    glancing = asyncio.create_task(
        database.glance(lambda connection: connection.execute(told).scalar_one())
    )
    for _ in range(10):
        await asyncio.sleep(0)
    assert not glancing.done()
    holder.execute("COMMIT")
    holder.close()
    assert await glancing == 0
    await database.close()


class Slow:
    """Work that keeps the one writer until it is let go on."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._may_go_on = Event()

    def __call__(self, _: Connection) -> bool:
        self._loop.call_soon_threadsafe(self.has_begun.set)
        return self._may_go_on.wait()

    def let_go_on(self) -> None:
        self._may_go_on.set()


def be_hasty(database: Database) -> None:
    """From now on, nobody waits long for a turn; to connect may take as long as before."""
    database._timeout_s = QUICKLY_S
    if database._writer is not None:
        database._writer._timeout_s = QUICKLY_S


async def test_whose_turn_does_not_come_is_told_so_and_changes_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/sessions.sqlite", 2, 60)
    slow, done = Slow(), list[str]()
    slowly = asyncio.create_task(database.write(slow))
    try:
        await slow.has_begun.wait()
        be_hasty(database)
        owed = asyncio.create_task(database.write(lambda _: done.append("owed"), goes_first=True))
        with pytest.raises(DatabaseFailed) as refused:
            await database.write(lambda _: done.append("too late"))
        assert refused.value.headers == {"Retry-After": "5"}
        assert not owed.done()
    finally:
        slow.let_go_on()
    assert await slowly
    await owed
    await database.close()
    assert done == ["owed"]


async def test_what_the_gateway_owes_itself_passes_all_who_wait(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/sessions.sqlite", 2, 60)
    slow, done = Slow(), list[str]()

    async def write(name: str, *, goes_first: bool = False) -> None:
        await database.write(lambda _: done.append(name), goes_first=goes_first)

    slowly = asyncio.create_task(database.write(slow))
    await slow.has_begun.wait()
    first, gone, last = [asyncio.create_task(write(name)) for name in ("first", "gone", "last")]
    await asyncio.sleep(0)
    owed = asyncio.create_task(write("owed", goes_first=True))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait({gone})
    slow.let_go_on()
    await asyncio.gather(slowly, owed, first, last)
    await database.close()
    assert done == ["owed", "first", "last"]


async def test_callers_leave_one_connection_to_what_the_gateway_owes_itself(
    postgres_url: str,
) -> None:
    database = Database(postgres_url, 3, 60)

    def told(connection: Connection) -> int:
        return int(connection.execute(select(text("1"))).scalar_one())

    async with database.reading(), database.writing():
        be_hasty(database)
        callers = database.read(told), database.write(told)
        refused = await asyncio.gather(*callers, return_exceptions=True)
        assert {type(error) for error in refused} == {DatabaseFailed}
        assert await database.write(told, goes_first=True) == 1
    assert await database.read(told) == 1
    await database.close()


async def test_only_of_a_commit_that_failed_nobody_knows_what_it_changed(
    database: Database,
) -> None:
    held = "INTEGER REFERENCES held (number) DEFERRABLE INITIALLY DEFERRED"
    told = f"CREATE TABLE held (number INTEGER PRIMARY KEY, other {held})"
    await database.write(lambda connection: connection.execute(text(told)))
    with pytest.raises(DatabaseFailed) as refused:
        await database.write(lambda connection: connection.execute(text("INSERT INTO none")))
    assert type(refused.value) is DatabaseFailed
    with pytest.raises(CommitFailed):
        await database.write(
            lambda connection: connection.execute(text("INSERT INTO held VALUES (1, 2)"))
        )


async def test_of_many_who_open_a_new_file_at_once_none_is_refused(tmp_path: Path) -> None:
    async def looks(database: Database) -> None:
        async with database.reading():
            return

    for number in range(20):
        url = f"sqlite:///{tmp_path}/{number}.sqlite"
        them = [Database(url, pool_size=1, timeout_s=60) for _ in range(8)]
        await asyncio.gather(*map(looks, them))
        for one in them:
            await one.close()
