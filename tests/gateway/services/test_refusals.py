"""Refusals: each in the log, few in the database, and none uncounted."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select

from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.audit_tables import audit_events
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import open_database
from gateway.services.audit import AuditService, Visitor
from gateway.services.refusals import MINUTE_S, Refusals
from tests.gateway.logs import lines_of
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


class Desk:
    """Refusals on a database."""

    def __init__(self, database: Database, most: int) -> None:
        numbers = iter(range(10_000))
        self.clock, self.database = ManualClock(), database
        audit = AuditService(
            SqlAuditLog(database), self.clock, lambda size: next(numbers).to_bytes(size), 90.0
        )
        self.refusals = Refusals(audit, self.clock, most)

    async def refuse(self, address: str, reason: str = "forged", agent: str = "curl") -> None:
        await self.refusals.note("", Visitor(address, agent), reason)

    async def rows(self) -> list[tuple[str, str, str, Any]]:
        told = audit_events.c
        wanted = select(told.address, told.reason, told.user_agent, told.detail).order_by(told.id)
        async with self.database.reading() as connection:
            return [tuple(row) for row in await connection.execute(wanted)]


@asynccontextmanager
async def desk(url: str, most: int = 100) -> AsyncIterator[Desk]:
    async with open_database(url, 2, 60.0) as database:
        yield Desk(database, most)


@pytest.mark.prop(3)
async def test_a_flood_is_a_row_a_minute_and_a_line_each(
    database_url: str, log: io.StringIO
) -> None:
    async with desk(database_url) as at:
        for number in range(500):
            await at.refuse("192.0.2.7", agent=f"guess {number}")
        assert await at.rows() == [("192.0.2.7", "forged", "guess 0", {})]
        at.clock.time_s += MINUTE_S
        await at.refuse("192.0.2.7", agent="another minute")
        await at.refusals.settle()
        assert await at.rows() == [
            ("192.0.2.7", "forged", "guess 0", {"count": 500}),
            ("192.0.2.7", "forged", "another minute", {}),
        ]
    lines = lines_of(log)
    told = [line for line in lines if line.get("audit") == "authentication.refused"]
    assert [line["user_agent"] for line in told[:500]] == [f"guess {n}" for n in range(500)]
    assert len({line["audit_id"] for line in told[:500]}) == 1
    assert len(told) == 501


async def test_addresses_and_reasons_are_told_apart_and_of_ipv6_networks(
    database_url: str,
) -> None:
    async with desk(database_url) as at:
        for address in ("192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2"):
            for reason in ("forged", "expired"):
                await at.refuse(address, reason)
        await at.refusals.close()
        assert [(row[0], row[1], row[3].get("count", 1)) for row in await at.rows()] == [
            ("192.0.2.7", "forged", 1),
            ("192.0.2.7", "expired", 1),
            ("192.0.2.8", "forged", 1),
            ("192.0.2.8", "expired", 1),
            ("2001:db8::1", "forged", 2),
            ("2001:db8::1", "expired", 2),
        ]


async def test_there_are_so_many_rows_a_minute_and_the_rest_is_counted(database_url: str) -> None:
    async with desk(database_url, most=3) as at:
        for number in range(50):
            await at.refuse(f"192.0.2.{number}")
        await at.refuse("192.0.2.1")
        at.clock.time_s += MINUTE_S
        await at.refusals.settle()
        rows = await at.rows()
        assert [row[0] for row in rows] == ["192.0.2.0", "192.0.2.1", "192.0.2.2", ""]
        assert rows[1][3] == {"count": 2}
        assert rows[3][1:] == ("others of this minute", "", {"count": 47})
        assert sum(row[3].get("count", 1) for row in rows) == 51
        await at.refuse("192.0.2.9")
        assert len(await at.rows()) == 5


async def test_a_database_that_is_away_lets_nobody_in_and_stops_nothing(
    log: io.StringIO,
) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=2, timeout_s=1)
    at = Desk(database, 100)
    await at.refuse("192.0.2.7")
    await at.refuse("192.0.2.7")
    await at.refusals.close()
    await database.close()
    lines = lines_of(log)
    assert [line["audit"] for line in lines if "audit" in line] == ["authentication.refused"] * 2
    assert lines[-1]["detail"] == {"count": 2}
