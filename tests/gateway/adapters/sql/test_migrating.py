import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from gateway.adapters.sql.audit_tables import audit_events
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import migrate
from gateway.adapters.sql.webhook_tables import webhook_endpoints
from gateway.errors.kinds import Misconfigured

pytestmark = pytest.mark.anyio

metadata = webhook_endpoints.metadata


def difference(connection: Connection) -> object:
    return compare_metadata(MigrationContext.configure(connection), metadata)


async def test_the_steps_lead_to_the_tables_as_they_are(database: Database) -> None:
    async with database.reading() as connection:
        assert await connection.run_sync(difference) == []


async def test_several_gateways_may_start_at_once_and_again(database_url: str) -> None:
    gateways = [Database(database_url, pool_size=2, timeout_s=60) for _ in range(4)]
    try:
        await asyncio.gather(*(migrate(one) for one in gateways))
        await migrate(gateways[0])
        async with gateways[0].reading() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    finally:
        for one in gateways:
            await one.close()
    assert audit_events.name in metadata.tables
    assert {*metadata.tables} < {*names}


async def test_a_database_of_a_newer_gateway_is_left_alone(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    with pytest.raises(Misconfigured, match="VTON_DATABASE__URL"):
        await migrate(database)


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "nonsense", "sqlite:///:memory:"])
def test_any_other_url_stops_the_start(url: str) -> None:
    with pytest.raises(Misconfigured, match="VTON_DATABASE__URL"):
        Database(url, pool_size=1, timeout_s=1)
