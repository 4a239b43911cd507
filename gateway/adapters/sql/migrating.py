"""Brings the database to the newest step of `migrations`, at every start."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from gateway.adapters.sql.database import Database
from gateway.errors.kinds import GatewayError, Misconfigured

_STEPS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = "migrations"


@asynccontextmanager
async def open_database(url: str, pool_size: int, timeout_s: float) -> AsyncIterator[Database]:
    """A database that is up to date; raises Misconfigured."""
    database = Database(url, pool_size, timeout_s)
    try:
        await migrate(database)
        yield database
    finally:
        await database.close()


async def migrate(database: Database) -> None:
    """Take every step that is missing, or none; of several gateways at once, one does it.

    Raises Misconfigured where the database cannot be had, or is newer than this gateway.
    """
    try:
        async with database.writing() as connection:
            await database.lock(connection, _LOCK)
            await connection.run_sync(_upgrade)
    except GatewayError as error:
        raise Misconfigured("setting VTON_DATABASE__URL: the database cannot be opened") from error


def _upgrade(connection: Connection) -> None:
    from alembic.config import Config  # noqa: PLC0415 - takes a second, and is needed here alone
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_STEPS))
    config.set_main_option("version_locations", str(_STEPS))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def missing(revision: Any, _: MigrationContext) -> Iterable[Any]:  # noqa: ANN401 - alembic's own
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - as its own command does

    context = MigrationContext.configure(connection, opts={"fn": missing, "script": script})
    try:
        with Operations.context(context):
            context.run_migrations()
    except CommandError as error:
        raise Misconfigured("the database is newer than this gateway") from error
