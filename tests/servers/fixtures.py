"""What tests ask for to have a real database, a real Redis or a real S3.

Each engine is looked for in this order: an URL in the environment (`VTON_TEST_POSTGRES_URL`,
`VTON_TEST_REDIS_URL`, `VTON_TEST_S3_URL`), a program of this machine, a wheel. Where there is none,
the test fails. One server lasts for a whole run (one per xdist worker); what a test sees of it is
new and empty. A test that kills servers asks for `postgres_server`, `redis_server` or `s3_server`,
which are never those of the environment and are up again for the next test.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.servers.postgres_server import PostgresServer, create_database, drop_database
from tests.servers.process import Server
from tests.servers.redis_server import RedisServer
from tests.servers.s3_server import CREDENTIALS, S3Server, create_bucket


@contextmanager
def _open(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.close()


def _raised(server: Server) -> None:
    """Bring back what the test before has killed."""
    if not server.is_up:
        server.start()


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    with _open(server):
        yield server


@pytest.fixture(scope="session")
def own_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    with _open(server):
        yield server


@pytest.fixture(scope="session")
def own_s3() -> Iterator[S3Server]:
    server = S3Server("s3")
    with _open(server):
        yield server


@pytest.fixture
def postgres_server(own_postgres: PostgresServer) -> PostgresServer:
    """A Postgres that may be stopped, killed and restarted; `create_database(server.url)`."""
    _raised(own_postgres)
    return own_postgres


@pytest.fixture
def redis_server(own_redis: RedisServer) -> RedisServer:
    """A Redis that may be stopped, killed and restarted."""
    _raised(own_redis)
    return own_redis


@pytest.fixture
def s3_server(own_s3: S3Server) -> S3Server:
    """An S3 that may be stopped, killed and restarted; it forgets its buckets then."""
    _raised(own_s3)
    return own_s3


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty Postgres database of this test alone: `postgresql://…/name`."""
    outside = os.environ.get("VTON_TEST_POSTGRES_URL")
    server_url = outside or request.getfixturevalue("postgres_server").url
    url = create_database(server_url)
    yield url
    if outside or request.getfixturevalue("own_postgres").is_up:
        drop_database(server_url, url)


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """A Redis database of this test alone, emptied: `redis://…/0`."""
    outside = os.environ.get("VTON_TEST_REDIS_URL")
    url: str = outside or request.getfixturevalue("redis_server").url
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def s3_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket of this test alone: `s3://name`; the AWS_* variables lead to it."""
    outside = os.environ.get("VTON_TEST_S3_URL")
    endpoint: str = outside or request.getfixturevalue("s3_server").url
    use_s3(endpoint, monkeypatch)
    return f"s3://{create_bucket(endpoint)}"


def use_s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the AWS_* variables lead to this endpoint for the rest of the test."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, os.environ.get(f"VTON_TEST_{name}", value))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once SQLite and once Postgres."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/vton.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
