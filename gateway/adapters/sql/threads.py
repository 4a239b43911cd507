"""Connections to an SQLite file, and threads that own one: a whole transaction is one visit.

SQLite answers in microseconds; every change of thread costs more, and an asynchronous driver
changes threads several times for each statement.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from gateway.adapters.sql.documents import written

T = TypeVar("T")

_DRIVER: Final = "sqlite+pysqlite"
_LOG_WAIT_S: Final = 0.1
"""How long writers may have to wait for readers that keep the log from being emptied."""


def empty_log(file: str) -> bool:
    """Move SQLite's log into its file, and cut it to nothing; False where others are in the way."""
    try:
        with closing(sqlite3.connect(file, timeout=_LOG_WAIT_S, isolation_level=None)) as own:
            is_busy, *_ = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    return not is_busy


class SqliteConnection:
    """A connection that runs transactions one after the other, each begun by `begin`.

    `prepare` is called with the driver's own connection when there is a new one; a lock of somebody
    else is waited for as long as `timeout_s`.
    """

    def __init__(
        self, url: URL, timeout_s: float, begin: str, prepare: Callable[[Any, object], None]
    ) -> None:
        self._connection: Connection | None = None
        self._engine = create_engine(
            url.set(drivername=_DRIVER),
            poolclass=StaticPool,
            json_serializer=written,
            connect_args={"timeout": timeout_s, "check_same_thread": False},
        )
        event.listen(self._engine, "connect", prepare)
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql(begin))

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction, which is kept if the work ends well."""
        connection = self._connection or self._engine.connect()
        try:
            with connection.begin():
                found = work(connection)
        except BaseException:
            self._connection = None
            connection.close()
            raise
        self._connection = connection
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


class SqliteThread:
    """A thread that has a connection to itself, and those who wait for their turn at it."""

    def __init__(self, connection: SqliteConnection, timeout_s: float) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection = connection
        self._timeout_s = timeout_s
        self._first = deque[Callable[[], None]]()
        self._others = deque[Callable[[], None]]()

    async def run(self, work: Callable[[Connection], T], *, goes_first: bool = False) -> T:
        """Run a transaction, which is kept if the work ends well.

        Raises TimeoutError, and runs nothing, if its turn does not come in time; what goes first
        passes all who do not, and waits as long as it takes. Whoever is cancelled meanwhile does
        not hear of its end, but what is begun comes to one.
        """
        visit: Future[T] = Future()
        line = self._first if goes_first else self._others
        line.append(partial(self._visit, visit, work))
        self._thread.submit(self._next)
        told = asyncio.wrap_future(visit)
        return await (told if goes_first else self._in_time(visit, told))

    async def close(self) -> None:
        """Let what is begun come to its end, then close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    async def _in_time(self, visit: Future[T], told: asyncio.Future[T]) -> T:
        """Wait for the end, or only as long as a turn may take to come."""
        late = asyncio.get_running_loop().call_later(self._timeout_s, visit.cancel)
        try:
            return await told
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # nobody else gives a visit up
                raise TimeoutError from None
            raise
        finally:
            late.cancel()

    def _next(self) -> None:
        (self._first or self._others).popleft()()

    def _visit(self, visit: Future[T], work: Callable[[Connection], T]) -> None:
        if not visit.set_running_or_notify_cancel():
            return
        try:
            found = self._connection.transact(work)
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            visit.set_exception(error)
        else:
            visit.set_result(found)
