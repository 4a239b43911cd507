"""Databases to test on: each test runs on every kind."""

from collections.abc import AsyncIterator

import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import migrate
from gateway.adapters.sql.queue import QueueRules, SqlSessionQueue
from tests.gateway.running import ManualClock

RULES = QueueRules(lease_s=10, max_tries=3, per_owner=2)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database with every table."""
    opened = Database(database_url, pool_size=5, timeout_s=60)
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def book(database: Database, clock: ManualClock) -> SqlSessionBook:
    return SqlSessionBook(database, clock)


@pytest.fixture
def queue(database: Database, clock: ManualClock) -> SqlSessionQueue:
    return SqlSessionQueue(database, clock, RULES)
