"""One database, SQLite or Postgres, chosen by URL: its engine, its transactions, its failures."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.adapters.sql.documents import written
from gateway.adapters.sql.failures import database_errors
from gateway.adapters.sql.threads import SqliteConnection, SqliteThread, empty_log
from gateway.adapters.whole import whole
from gateway.domain.durations import DAY_S
from gateway.errors.kinds import CommitFailed, DatabaseFailed, Misconfigured

T = TypeVar("T")

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
_IS_READING: Final = "is_reading"
_AWAITED_S: Final = 2.0
_PAUSE_S: Final = 0.01
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",  # what is erased is overwritten
)
_POSTGRES_TIME: Final = func.extract("epoch", func.clock_timestamp())
_SQLITE_TIME: Final = (func.julianday("now") - 2_440_587.5) * float(DAY_S)
_PRIVATE: Final = 0o700
_LOCK_BYTES: Final = 8


class Database:
    """Connections to the database at `url`: `sqlite:///file` or `postgresql://…`.

    There are at most `pool_size`; to have one, or SQLite's turn to write, may take `timeout_s`.
    Of Postgres's, one is left to what `goes_first`. Raises Misconfigured for any other URL.
    Of what raises DatabaseFailed, that is DatabaseRefused which would fail as well another time.
    """

    def __init__(self, url: str, pool_size: int, timeout_s: float) -> None:
        parsed = _checked(url)
        self.is_postgres: Final = parsed.get_backend_name() == "postgresql"
        options: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": timeout_s,
            "json_serializer": written,
        }
        if self.is_postgres:
            waits = {"timeout": timeout_s, "command_timeout": timeout_s}
            options |= {"pool_pre_ping": True, "connect_args": waits}
        else:
            _make_folder(parsed)
            options |= {"connect_args": {"timeout": timeout_s}}
        self.engine: Final[AsyncEngine] = create_async_engine(parsed, **options)
        self._timeout_s = timeout_s
        self._callers = asyncio.Semaphore(pool_size - 1 if self.is_postgres else pool_size)
        self._glancer: SqliteConnection | None = None
        self._reader: SqliteThread | None = None
        self._writer: SqliteThread | None = None
        if not self.is_postgres:
            event.listen(self.engine.sync_engine, "connect", _prepare_new)
            event.listen(self.engine.sync_engine, "begin", _begin)
            self._glancer = SqliteConnection(parsed, 0, "BEGIN", _prepare)
            reader = SqliteConnection(parsed, timeout_s, "BEGIN", _prepare)
            writer = SqliteConnection(parsed, timeout_s, "BEGIN IMMEDIATE", _prepare)
            self._reader = SqliteThread(reader, timeout_s)
            self._writer = SqliteThread(writer, timeout_s)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What statements find that change nothing, all in one go; raises DatabaseFailed.

        For SQLite that is one visit of a thread: many small ones cost more than what they find.
        """
        with database_errors():
            if self._reader is not None:
                return await self._reader.run(work)
            async with self._room():
                return await self._visit(work)

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """As `read`, for the few rows that a key leads to; raises DatabaseFailed.

        SQLite finds them sooner than another thread would have begun to look. Where it would have
        to wait for somebody, a thread does.
        """
        if self._glancer is not None:
            with suppress(OperationalError):
                return self._glancer.transact(work)
        return await self.read(work)

    async def write(self, work: Callable[[Connection], T], *, goes_first: bool = False) -> T:
        """Let statements change what they do all in one go, or nothing; raises DatabaseFailed.

        What the gateway owes to what it has accepted goes first: it waits for no caller. A
        CommitFailed, and no other failure, may have changed something.
        """
        is_done = Event()

        def done(connection: Connection) -> T:
            found = work(connection)
            is_done.set()
            return found

        try:
            with database_errors():
                return await self._write(done, goes_first=goes_first)
        except DatabaseFailed as error:
            if is_done.is_set():
                raise CommitFailed from error.__cause__
            raise

    async def _write(self, work: Callable[[Connection], T], *, goes_first: bool) -> T:
        if self._writer is not None:
            return await self._writer.run(work, goes_first=goes_first)
        if goes_first:
            return await self._visit(work)
        async with self._room():
            return await self._visit(work)

    async def now(self) -> float:
        """Unix time in seconds, as the database has it."""
        told = select(_POSTGRES_TIME if self.is_postgres else _SQLITE_TIME)
        return float(await self.read(lambda connection: connection.execute(told).scalar_one()))

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        """One of the connections that callers may have, for the length of the block."""
        async with asyncio.timeout(self._timeout_s):
            await self._callers.acquire()
        try:
            yield
        finally:
            self._callers.release()

    @whole
    async def _visit(self, work: Callable[[Connection], T]) -> T:
        async with self.engine.begin() as connection:
            return await connection.run_sync(work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes nothing; raises DatabaseFailed."""
        with database_errors():
            async with self._room(), self.engine.connect() as connection:
                yield await connection.execution_options(**{_IS_READING: True})

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is kept if the block ends well; raises DatabaseFailed.

        SQLite has one writer at a time, and this is it from its first line.
        """
        with database_errors():
            async with self._room(), self.engine.begin() as connection:
                yield connection

    async def lock(self, connection: AsyncConnection, name: str) -> None:
        """Wait until nobody else holds the name; it is let go with the transaction."""
        if self.is_postgres:
            await connection.execute(select(func.pg_advisory_xact_lock(_lock_key(name))))

    def hold(self, connection: Connection, name: str) -> None:
        """As `lock` does, within `write`."""
        if self.is_postgres:
            connection.execute(select(func.pg_advisory_xact_lock(_lock_key(name))))

    def try_hold(self, connection: Connection, name: str) -> bool:
        """Hold the name until the transaction ends, unless somebody else does."""
        if not self.is_postgres:
            return True
        taken = select(func.pg_try_advisory_xact_lock(_lock_key(name)))
        return bool(connection.execute(taken).scalar_one())

    async def empty_log(self) -> bool:
        """Leave nothing in SQLite's log, where rows outlive their erasing; whether it is empty.

        It is not where somebody reads or writes just then. Postgres looks after its own.
        """
        if self.is_postgres:
            return True
        return await asyncio.to_thread(empty_log, self.engine.url.database or "")

    async def close(self) -> None:
        """Close every connection."""
        for thread in (self._reader, self._writer):
            if thread is not None:
                await thread.close()
        if self._glancer is not None:
            self._glancer.close()
        await self.engine.dispose()


def _checked(url: str) -> URL:
    message = "setting VTON_DATABASE__URL: must begin with sqlite:/// or postgresql://"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured(message) from None
    driver = _DRIVERS.get(parsed.drivername.partition("+")[0])
    is_file = bool(parsed.database) and parsed.database != ":memory:"
    if driver is None or not is_file:
        raise Misconfigured(message)
    return parsed.set(drivername=driver)


def _make_folder(url: URL) -> None:
    Path(url.database or "").absolute().parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)


def _prepare(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own type
    """Let us begin transactions ourselves: the driver would begin them when it is too late."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_new(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's own type
    """Prepare where the file may be new: whoever makes it log ahead has others refused at once."""
    until = time.monotonic() + _AWAITED_S
    while True:
        try:
            _prepare(connection, record)
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _begin(connection: Connection) -> None:
    is_reading = connection.get_execution_options().get(_IS_READING, False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _lock_key(name: str) -> int:
    """A name as Postgres takes it: 64 bits, signed."""
    return int.from_bytes(sha256(name.encode()).digest()[:_LOCK_BYTES], "big", signed=True)
