"""A deployment on this machine: gateways that accept, gateways that run, and what they share."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.sessions.gateways import Killable, gateway
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres_server import PostgresServer, create_database
from tests.servers.redis_server import RedisServer
from tests.servers.s3_server import CREDENTIALS, S3Server, create_bucket

LEASE_S: Final = 3.0
# Limits are counted as ever, and never met: users here order more than people do.
LIMITS: Final = {
    "inference_per_min": 1_000_000,
    "read_per_min": 1_000_000,
    "write_per_min": 1_000_000,
    "anonymous_per_min": 1_000_000,
    "open_sessions": 1_000_000,
}
_SETTINGS: Final = {
    **{f"VTON_LIMITS__{name.upper()}": str(value) for name, value in LIMITS.items()},
    "VTON_LOG_LEVEL": "WARNING",
    "VTON_SESSIONS__LEASE_S": str(LEASE_S),
    "VTON_SESSIONS__BEAT_S": "0.8",
    "VTON_SESSIONS__POLL_S": "0.3",
    "VTON_SESSIONS__PER_USER": "8",
    "VTON_SESSIONS__RETRY_FIRST_S": "0.2",
    "VTON_SESSIONS__RETRY_LONGEST_S": "2",
    "VTON_SESSIONS__GRACE_S": "1",
    # Here a runner dies every two seconds, and an item may be begun with each of them.
    "VTON_SESSIONS__MAX_TRIES": "20",
    "VTON_HEALTH__INTERVAL_S": "0.5",
    "VTON_TORCHSERVE__RESET_S": "1",
    "VTON_STORAGE__SIGNING_SECRET": "a secret of this benchmark and no other",
}


@dataclass(frozen=True, slots=True)
class Backing:
    """What gateways share; what is not there is a file or nothing."""

    database_url: str
    settings: Mapping[str, str]
    postgres: PostgresServer | None = None
    redis: RedisServer | None = None
    storage: FaultProxy | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The whole of it."""

    backing: Backing
    fronts: Sequence[Killable]
    runners: Sequence[Killable]

    @property
    def urls(self) -> Sequence[str]:
        """Where sessions are accepted."""
        return [one.url for one in self.fronts]


@asynccontextmanager
async def of_files(folder: Path) -> AsyncIterator[Backing]:
    """SQLite and a folder, as a deployment has them that was told nothing."""
    url = f"sqlite:///{folder}/sessions.sqlite"
    told = {"VTON_DATABASE__URL": url, "VTON_STORAGE__URL": (folder / "objects").as_uri()}
    yield Backing(url, told)


@asynccontextmanager
async def of_servers() -> AsyncIterator[Backing]:
    """Postgres, Redis, and an S3 on a line that may be bad."""
    async with AsyncExitStack() as stack:
        postgres, redis, s3 = PostgresServer(), RedisServer(), S3Server("s3")
        for server in (postgres, redis, s3):
            await asyncio.to_thread(server.start)
            stack.callback(server.close)
        bucket = await asyncio.to_thread(create_bucket, s3.url)
        database = await asyncio.to_thread(create_database, postgres.url)
        line = await stack.enter_async_context(FaultProxy(s3.port).running())
        told = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{line.port}",
            "VTON_STORAGE__URL": f"s3://{bucket}",
            "VTON_DATABASE__URL": database,
            "VTON_NOTICES__URL": redis.url,
        }
        yield Backing(database, told, postgres, redis, line)


@asynccontextmanager
async def opened(
    backing: Backing, torchserve: tuple[str, str], folder: Path, fronts: int, runners: int
) -> AsyncIterator[Site]:
    """Gateways on this ground, in front of TorchServe's two APIs."""
    inference, management = torchserve
    settings = {
        **_SETTINGS,
        **backing.settings,
        "VTON_TORCHSERVE__INFERENCE_URL": inference,
        "VTON_TORCHSERVE__MANAGEMENT_URL": management,
        "VTON_TRYON__ENGINES_DIR": str(engines(folder)),
    }
    accepting = settings | {"VTON_SESSIONS__IS_RUNNING": "false"}
    gateways: list[Killable] = []
    try:
        for number in range(fronts + runners):
            name, told = f"gateway-{number}", accepting if number < fronts else settings
            gateways.append(gateway(name, folder / f"{name}.log", told))
        for one in gateways:
            await asyncio.to_thread(one.await_ready)
        yield Site(backing, gateways[:fronts], gateways[fronts:])
    finally:
        for one in gateways:
            one.kill()


def engines(folder: Path) -> Path:
    """A folder that deploys the embedded engine, and nothing else."""
    found = folder / "engines"
    found.mkdir(exist_ok=True)
    shutil.copy(report.ROOT / "config" / "geometric.yaml", found)
    return found
