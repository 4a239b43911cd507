"""The servers that tests start are real, empty for each test, and back after a kill."""

import os
import socket
from pathlib import Path

import asyncpg
import httpx
import pytest
import redis
import sqlalchemy

from tests.servers.postgres_server import PostgresServer
from tests.servers.process import DidNotStart, Server, for_nobody
from tests.servers.redis_server import RedisServer
from tests.servers.s3_server import S3Server, create_bucket

pytestmark = pytest.mark.anyio


async def test_a_test_has_a_postgres_database_of_its_own(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await connection.fetchval(tables) == 0
    await connection.execute("CREATE TABLE kept (value int)")
    await connection.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_postgres_comes_back_with_what_was_committed(
    postgres_server: PostgresServer, postgres_url: str, end: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    getattr(postgres_server, end)()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.execute("SELECT 1")
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncpg.connect(postgres_url)
    postgres_server.start()
    again = await asyncpg.connect(postgres_url)
    assert await again.fetchval("SELECT value FROM kept") == 7
    await again.close()


def test_redis_comes_back_with_what_it_was_told(redis_server: RedisServer, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.dbsize() == 0
        client.set("kept", "7")
        redis_server.restart()
        assert client.get("kept") == "7"


def test_s3_gives_each_test_an_empty_bucket(s3_server: S3Server, s3_url: str) -> None:
    bucket = s3_url.removeprefix("s3://")
    listed = httpx.get(f"{s3_server.url}/{bucket}?list-type=2", trust_env=False)
    assert listed.status_code == 200
    assert "<Contents>" not in listed.text
    s3_server.restart()
    assert httpx.get(f"{s3_server.url}/{bucket}", trust_env=False).status_code == 404
    assert create_bucket(s3_server.url) != bucket


def test_the_database_is_once_sqlite_and_once_postgres(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    backend = sqlalchemy.make_url(database_url).get_backend_name()
    assert backend in {"sqlite", "postgresql"}
    assert backend[:6] in request.node.name


def test_a_port_is_its_server_s_though_it_is_down(redis_server: RedisServer) -> None:
    redis_server.kill()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", redis_server.port))
    redis_server.start()


class _Wrong(Server):
    def _command(self) -> list[str]:
        return ["sh", "-c", "echo this is why; exit 3"]


def test_a_server_that_does_not_start_says_why_and_leaves_nothing() -> None:
    server = _Wrong("wrong")
    with pytest.raises(DidNotStart, match="this is why"):
        server.start()
    server.close()
    assert not server.folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has others to run as")
def test_programs_in_a_private_folder_are_copied_to_where_all_may_run_them(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "one").write_text("#!/bin/sh")
    tmp_path.chmod(0o700)
    copied = for_nobody(tmp_path / "programs")
    assert copied != tmp_path / "programs"
    assert (copied / "one").read_text() == "#!/bin/sh"
    assert copied.stat().st_mode & 0o005 == 0o005
