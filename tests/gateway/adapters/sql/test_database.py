import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select, text

from gateway.adapters.sql.database import Database

pytestmark = pytest.mark.anyio


async def test_a_glance_that_has_to_wait_waits_in_a_thread(tmp_path: Path) -> None:
    file = tmp_path / "sessions.sqlite"
    database = Database(f"sqlite:///{file}", 1, 20)
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
