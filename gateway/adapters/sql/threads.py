"""Connections to an SQLite file, and threads that own one: a whole transaction is one visit.

SQLite answers in microseconds; every change of thread costs more, and an asynchronous driver
changes threads several times for each statement.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

T = TypeVar("T")

_DRIVER: Final = "sqlite+pysqlite"


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
    """A thread that has a connection to itself."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection = connection

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction, which is kept if the work ends well.

        Whoever is cancelled meanwhile does not hear of its end, but what is begun comes to one.
        """
        transact = self._connection.transact
        return await asyncio.get_running_loop().run_in_executor(self._thread, transact, work)

    async def close(self) -> None:
        """Let what is begun come to its end, then close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()
