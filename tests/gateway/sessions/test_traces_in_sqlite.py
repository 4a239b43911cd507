"""What is erased is in no byte of SQLite's files: neither in free pages nor in its log."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.clock import SystemClock
from tests.gateway.sessions.workshop import Place, Sessions, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    place = Place(f"sqlite:///{tmp_path}/vton.db", f"file://{tmp_path}/objects")
    async with opened(place, SystemClock(), ["whole"]) as made:
        yield made


async def made(sessions: Sessions, items: int = 1) -> tuple[str, set[bytes]]:
    """A session that has ended, and what its pictures are called."""
    session_id = await sessions.accept("whole", SystemClock().now(), items)
    async with sessions.running():
        session = await sessions.service.wait(session_id, "whole", 60)
    return session_id, {key.rpartition("/")[2].encode() for key in session.object_keys}


def left(folder: Path, names: set[bytes]) -> set[bytes]:
    content = b"".join(file.read_bytes() for file in folder.glob("vton.db*"))
    return {name for name in names if name in content}


async def test_nothing_is_left_in_the_files(sessions: Sessions, tmp_path: Path) -> None:
    _, others = await made(sessions)
    mine, names = await made(sessions, items=20)
    assert left(tmp_path, names) == names
    await sessions.service.delete(mine, "whole")
    await sessions.erasing.job.run()
    assert left(tmp_path, names) == set()
    assert left(tmp_path, others) == others


async def test_who_reads_meanwhile_only_puts_it_off(sessions: Sessions, tmp_path: Path) -> None:
    mine, names = await made(sessions)
    reader = sqlite3.connect(tmp_path / "vton.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sessions").fetchone()
    await sessions.service.delete(mine, "whole")
    assert await sessions.service.erase_due() == 0
    assert left(tmp_path, names)
    reader.close()
    assert await sessions.service.erase_due() == 0
    assert left(tmp_path, names) == set()
