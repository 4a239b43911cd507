"""What a database raises, in two kinds: it is away, or it will never take what it was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from gateway.errors.kinds import DatabaseFailed, DatabaseRefused

# Before there is a connection, the driver's own errors come through as they are.
_FAILURES: Final = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
_FOR_GOOD: Final = frozenset({"22", "23"})
"""Classes of SQLSTATE: data that cannot be, and rows that may not be."""


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise DatabaseFailed or DatabaseRefused instead, whose messages show nothing of it."""
    try:
        yield
    except _FAILURES as error:
        raise (DatabaseRefused if is_for_good(error) else DatabaseFailed) from error


def is_for_good(error: BaseException) -> bool:
    """Whether the same statement would fail as well at any other time."""
    if isinstance(error, DataError | IntegrityError):
        return True
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        refused_by_driver = isinstance(getattr(error.orig, "__cause__", None), asyncpg.DataError)
        return state[:2] in _FOR_GOOD or refused_by_driver
    return isinstance(error, StatementError)  # its parameters could not be written
