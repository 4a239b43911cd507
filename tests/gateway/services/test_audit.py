import pytest

from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import migrate
from gateway.services.audit import AuditService, Visitor
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


async def test_a_line_says_who_did_what_from_where_and_why_and_goes_when_it_is_old(
    database_url: str,
) -> None:
    database, clock = Database(database_url, pool_size=2, timeout_s=60), ManualClock(1000.0)
    await migrate(database)
    numbers = iter(range(256))
    log = SqlAuditLog(database)
    audit = AuditService(log, clock, lambda size: bytes([next(numbers)] * size), 90.0)
    visitor = Visitor("192.0.2.7", "curl/8\nforged line" + "x" * 300)
    line = await audit.record("login.refused", "ann", visitor, "wrong password", {"tries": 3})
    found = await log.find(line, "login.refused", "ann")
    assert found is not None
    assert (found.at, found.address, found.reason) == (1000.0, "192.0.2.7", "wrong password")
    assert found.detail == {"tries": 3}
    assert len(found.user_agent) == 256
    assert "\n" not in found.user_agent
    assert await log.find(line, "login.refused", "bob") is None
    clock.time_s = 1090.0
    assert await audit.clear() == 0
    clock.time_s = 1091.0
    assert await audit.clear() == 1
    assert await log.find(line, "login.refused", "ann") is None
    await database.close()


async def test_a_database_that_is_away_keeps_nobody_from_his_work() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=2, timeout_s=1)
    audit = AuditService(SqlAuditLog(database), ManualClock(), bytes, 90.0)
    assert await audit.record("login.refused", "") == "00" * 16
    await database.close()
