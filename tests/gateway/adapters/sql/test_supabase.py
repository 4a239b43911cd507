"""The SQL of `config/supabase` on a real Postgres: who reaches which rows and which folders."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import migrate
from tests.gateway.adapters.sql.drafts import draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

SQL = Path(__file__).parents[4] / "config" / "supabase"
STAND_IN = Path(__file__).with_name("supabase_stand_in.sql")
ANN = "8f14e45f-ceea-467f-a0e6-7c1d2f6f1a11"
BOB = "c9f0f895-fb98-4b91-91d2-0d1b1a2c3d22"
REFUSED = asyncpg.InsufficientPrivilegeError


@pytest.fixture
async def project(postgres_url: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """A Supabase project whose database holds a session of Ann's and one of Bob's."""
    connection = await asyncpg.connect(postgres_url)
    for role in ("anon", "authenticated"):  # of the whole server, and of an earlier test
        await connection.execute(f"DROP ROLE IF EXISTS {role}")
    await connection.execute(STAND_IN.read_text())
    database = Database(postgres_url, pool_size=2, timeout_s=60)
    await migrate(database)
    book = SqlSessionBook(database, ManualClock(time.time()))
    for user in (ANN, BOB):
        await book.create(draft(time.time(), items=2, owner=f"user:{user}"))
    await book.create(draft(time.time() - 90_000, owner=f"user:{ANN}"))
    await database.close()
    for _ in range(2):
        for file in sorted(SQL.glob("*.sql")):
            await connection.execute(file.read_text())
    keys = [f"people/{ANN}/a.jpg", f"people/{BOB}/b.jpg", "uploads/x", "results/y.jpg", "a.jpg"]
    for key in keys:
        insert = "INSERT INTO storage.objects (bucket_id, name) VALUES ('tryon', $1)"
        await connection.execute(insert, key)
    yield connection
    await connection.execute("RESET ROLE")
    await connection.execute("DROP OWNED BY anon, authenticated; DROP ROLE anon, authenticated")
    await connection.close()


async def become(project: "asyncpg.Connection[Any]", role: str, user: str = "") -> None:
    await project.execute("RESET ROLE")
    await project.execute("SELECT set_config('request.jwt.claim.sub', $1, false)", user)
    await project.execute(f"SET ROLE {role}")


async def seen(project: "asyncpg.Connection[Any]", query: str) -> Sequence[Any]:
    return [row[0] for row in await project.fetch(query)]


async def test_an_owner_sees_his_own_rows_as_long_as_they_live(
    project: "asyncpg.Connection[Any]",
) -> None:
    for user in (ANN, BOB):
        await become(project, "authenticated", user)
        assert await seen(project, "SELECT owner FROM sessions") == [f"user:{user}"]
        assert await seen(project, "SELECT owner FROM session_items") == [f"user:{user}"] * 2
        assert await seen(project, "SELECT count(*) FROM session_events") == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET state = 'failed'",
        "DELETE FROM session_items",
        "INSERT INTO idempotency_keys VALUES ('a', 'b', 'c', 'd', 1)",
        "SELECT * FROM audit_events",
        "SELECT * FROM webhook_endpoints",
        "SELECT * FROM webhook_deliveries",
        "SELECT * FROM alembic_version",
    ],
)
async def test_what_is_the_gateway_s_is_closed_even_to_owners(
    project: "asyncpg.Connection[Any]", statement: str
) -> None:
    await become(project, "authenticated", ANN)
    with pytest.raises(REFUSED):
        await project.execute(statement)


async def test_an_anonymous_visitor_reads_no_row_and_no_object(
    project: "asyncpg.Connection[Any]",
) -> None:
    await become(project, "anon")
    for table in ("sessions", "session_items", "session_events"):
        with pytest.raises(REFUSED):
            await project.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own names
    assert await seen(project, "SELECT name FROM storage.objects") == []
    with pytest.raises(REFUSED):
        await project.execute("INSERT INTO storage.objects (bucket_id, name) VALUES ('tryon', 'x')")


async def test_an_owner_reaches_his_own_folder_and_no_other(
    project: "asyncpg.Connection[Any]",
) -> None:
    await become(project, "authenticated", ANN)
    insert = "INSERT INTO storage.objects (bucket_id, name) VALUES ('tryon', $1)"
    assert await seen(project, "SELECT name FROM storage.objects") == [f"people/{ANN}/a.jpg"]
    await project.execute(insert, f"people/{ANN}/new.jpg")
    for foreign in (f"people/{BOB}/new.jpg", "results/new.jpg", f"{ANN}/new.jpg", "people"):
        with pytest.raises(REFUSED):
            await project.execute(insert, foreign)
    assert await project.execute("DELETE FROM storage.objects") == "DELETE 2"
    await become(project, "authenticated", BOB)
    assert await seen(project, "SELECT name FROM storage.objects") == [f"people/{BOB}/b.jpg"]


async def test_the_bucket_is_private(project: "asyncpg.Connection[Any]") -> None:
    await project.execute("RESET ROLE")
    assert await seen(project, "SELECT public FROM storage.buckets") == [False]
