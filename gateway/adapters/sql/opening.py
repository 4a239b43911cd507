"""Opens the database as the settings say, and has the clock go by it."""

from contextlib import AsyncExitStack

from gateway.adapters.clock import SharedClock
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import open_database
from gateway.ports.clock import Clock
from gateway.settings.tree import Settings


async def shared_database(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Database:
    """What all gateways of a deployment have in common; raises Misconfigured."""
    at = settings.database
    opened = open_database(at.address(settings.storage.url), at.pool_size, at.timeout_s)
    database = await stack.enter_async_context(opened)
    if isinstance(clock, SharedClock):
        await stack.enter_async_context(clock.agreeing(database.now))
    return database
