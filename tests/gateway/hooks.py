"""Webhooks as a gateway has them, with somebody outside who is told."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count

from gateway.adapters.clock import SystemClock
from gateway.adapters.notices_memory import MemoryNotices
from gateway.adapters.outgoing import Outgoing
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import open_database
from gateway.adapters.sql.webhook_book import SqlWebhookBook
from gateway.adapters.sql.webhook_outbox import SqlWebhookOutbox, enqueue
from gateway.domain.webhooks import DeliveryState, Endpoint, Shares
from gateway.services.webhook_deliverer import TOPIC, WebhookDeliverer
from gateway.services.webhook_secrets import OpenedOutbox, WebhookSecrets
from gateway.services.webhooks import WebhookService
from gateway.settings.webhooks import WebhookSettings
from tests.gateway.receiver import Receiver, receiving

SHARES = Shares(at_once=4, per_owner=3, per_endpoint=2)


@dataclass
class MovableClock(SystemClock):
    """The machine's clock, which can be put forward."""

    ahead_s: float = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


@dataclass
class Hooks:
    """Webhooks with a receiver."""

    service: WebhookService
    deliverer: WebhookDeliverer
    outbox: OpenedOutbox
    outgoing: Outgoing
    database: Database
    receiver: Receiver
    clock: MovableClock
    notices: MemoryNotices

    async def add(self) -> Endpoint:
        return await self.service.add("ann", self.receiver.url + "/hook")

    async def tell(self, kind: str = "session.completed", owner: str = "ann") -> None:
        told, now = {"session_id": "s"}, self.clock.now()
        await self.database.write(lambda to: enqueue(to, owner, None, kind, told, now))
        await self.notices.publish(TOPIC)

    async def states(self, endpoint: Endpoint) -> list[DeliveryState]:
        deliveries = await self.service.deliveries("ann", endpoint.endpoint_id, 99)
        return [one.state for one in deliveries]


@asynccontextmanager
async def hooking(database_url: str) -> AsyncIterator[Hooks]:
    """Webhooks on this database, for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(database_url, 4, 60))
        receiver = await stack.enter_async_context(receiving())
        outgoing = await stack.enter_async_context(Outgoing(60, 1000, allow_private=True))
        clock, notices, drawn = MovableClock(), MemoryNotices(), count()
        secrets = WebhookSecrets("the deployment's")
        outbox = OpenedOutbox(SqlWebhookOutbox(database, clock, lease_s=30), secrets)
        yield Hooks(
            service=WebhookService(
                SqlWebhookBook(database, clock),
                clock,
                lambda size: next(drawn).to_bytes(size, "big"),
                WebhookSettings(allow_private=True, max_endpoints=3),
                secrets,
            ),
            deliverer=WebhookDeliverer(outbox, outgoing, notices, clock, lambda: 0.0, SHARES),
            outbox=outbox,
            outgoing=outgoing,
            database=database,
            receiver=receiver,
            clock=clock,
            notices=notices,
        )
