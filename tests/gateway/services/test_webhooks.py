import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from gateway.adapters.clock import SystemClock
from gateway.adapters.notices_memory import MemoryNotices
from gateway.adapters.outgoing import Outgoing
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import open_database
from gateway.adapters.sql.webhook_book import SqlWebhookBook
from gateway.adapters.sql.webhook_outbox import SqlWebhookOutbox, enqueue
from gateway.adapters.sql.webhook_tables import webhook_endpoints
from gateway.domain.webhooks import PAUSES_S, DeliveryState, Endpoint, Secret
from gateway.errors.kinds import Conflict, DatabaseFailed, InvalidInput, NotFound
from gateway.services.webhook_deliverer import TOPIC, WebhookDeliverer
from gateway.services.webhook_secrets import OpenedOutbox, WebhookSecrets
from gateway.services.webhooks import WebhookService
from gateway.settings.webhooks import WebhookSettings
from tests.gateway.receiver import Receiver, receiving
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio


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
    database: Database
    receiver: Receiver
    clock: MovableClock
    notices: MemoryNotices

    async def add(self) -> Endpoint:
        return await self.service.add("ann", self.receiver.url + "/hook")

    async def tell(self, kind: str = "session.completed") -> None:
        told, now = {"session_id": "s"}, self.clock.now()
        await self.database.write(lambda to: enqueue(to, "ann", None, kind, told, now))
        await self.notices.publish(TOPIC)

    async def states(self, endpoint: Endpoint) -> list[DeliveryState]:
        deliveries = await self.service.deliveries("ann", endpoint.endpoint_id, 99)
        return [one.state for one in deliveries]


@pytest.fixture
async def hooks(database_url: str) -> AsyncIterator[Hooks]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(database_url, 4, 10))
        receiver = await stack.enter_async_context(receiving())
        outgoing = await stack.enter_async_context(Outgoing(5, 1000, allow_private=True))
        clock, notices, drawn = MovableClock(), MemoryNotices(), count()
        outbox = SqlWebhookOutbox(database, clock, lease_s=30)
        secrets = WebhookSecrets("the deployment's")
        yield Hooks(
            service=WebhookService(
                SqlWebhookBook(database, clock),
                clock,
                lambda size: next(drawn).to_bytes(size, "big"),
                WebhookSettings(allow_private=True, max_endpoints=3),
                secrets,
            ),
            deliverer=WebhookDeliverer(
                OpenedOutbox(outbox, secrets), outgoing, notices, clock, lambda: 0.0, at_once=4
            ),
            database=database,
            receiver=receiver,
            clock=clock,
            notices=notices,
        )


async def test_an_outside_library_verifies_what_arrives(hooks: Hooks) -> None:
    endpoint = await hooks.add()
    await hooks.tell()
    assert await hooks.deliverer.deliver_due() == 1
    (received,) = hooks.receiver.received
    told = Webhook(endpoint.secrets[0].secret).verify(received.body, received.headers)
    assert told["type"] == "session.completed"
    assert told["data"] == {"session_id": "s"}
    assert received.headers["content-type"] == "application/json"
    assert await hooks.states(endpoint) == [DeliveryState.DELIVERED]
    assert await hooks.deliverer.deliver_due() == 0


async def test_no_secret_can_be_read_from_the_database(hooks: Hooks) -> None:
    old = await hooks.add()
    new = await hooks.service.rotate("ann", old.endpoint_id)
    async with hooks.database.reading() as connection:
        (row,) = await connection.execute(select(webhook_endpoints))
    for one in (*old.secrets, *new.secrets):
        assert one.secret.startswith("whsec_")
        assert one.secret not in str(row)
    assert "whsec_" not in str(row)
    assert WebhookSecrets("another's").opened(Secret(**one) for one in row.secrets) == ()


async def test_what_cannot_be_signed_is_not_sent(hooks: Hooks) -> None:
    endpoint = await hooks.add()
    kept = await hooks.service.find("ann", endpoint.endpoint_id)
    book = SqlWebhookBook(hooks.database, hooks.clock)
    others = [WebhookSecrets("a secret that was replaced").sealed("whsec_x")]
    await book.set_secrets("ann", endpoint.endpoint_id, others)
    await hooks.tell()
    await hooks.deliverer.deliver_due()
    assert hooks.receiver.received == []
    (delivery,) = await hooks.service.deliveries("ann", endpoint.endpoint_id, 9)
    assert (delivery.state, delivery.last_error) == (DeliveryState.WAITING, "no secret")
    await book.set_secrets("ann", endpoint.endpoint_id, kept.secrets)
    hooks.clock.ahead_s += 10
    await hooks.deliverer.deliver_due()
    (received,) = hooks.receiver.received
    assert Webhook(endpoint.secrets[0].secret).verify(received.body, received.headers)


async def test_after_a_rotation_both_secrets_verify_and_later_the_new_one_alone(
    hooks: Hooks,
) -> None:
    old = (await hooks.add()).secrets[0].secret
    (endpoint,) = await hooks.service.endpoints("ann")
    new = (await hooks.service.rotate("ann", endpoint.endpoint_id)).secrets[0].secret
    assert new != old
    await hooks.tell()
    await hooks.deliverer.deliver_due()
    (received,) = hooks.receiver.received
    for secret in (old, new):
        assert Webhook(secret).verify(received.body, received.headers)
    hooks.clock.ahead_s += 86_401
    await hooks.tell()
    await hooks.deliverer.deliver_due()
    assert hooks.receiver.received[-1].headers["webhook-signature"].count("v1,") == 1


async def test_a_receiver_that_is_down_for_a_day_loses_nothing_until_then(hooks: Hooks) -> None:
    endpoint = await hooks.add()
    await hooks.tell()
    hooks.receiver.statuses.extend([500] * len(PAUSES_S))
    for pause in PAUSES_S:
        await hooks.deliverer.deliver_due()
        assert await hooks.states(endpoint) == [DeliveryState.WAITING]
        hooks.clock.ahead_s += pause
    await hooks.deliverer.deliver_due()
    assert await hooks.states(endpoint) == [DeliveryState.DELIVERED]
    assert len({one.headers["webhook-id"] for one in hooks.receiver.received}) == 1
    times = [int(one.headers["webhook-timestamp"]) for one in hooks.receiver.received]
    assert times == sorted(set(times))


async def test_after_the_last_try_a_message_has_failed_and_can_be_sent_again(hooks: Hooks) -> None:
    endpoint = await hooks.add()
    await hooks.tell()
    hooks.receiver.statuses.extend([503] * (len(PAUSES_S) + 1))
    for pause in (0, *PAUSES_S):
        hooks.clock.ahead_s += pause
        await hooks.deliverer.deliver_due()
    (failed,) = await hooks.service.deliveries("ann", endpoint.endpoint_id, 9)
    assert (failed.state, failed.tries) == (DeliveryState.FAILED, 11)
    await hooks.service.redeliver("ann", failed.message_id)
    await hooks.deliverer.deliver_due()
    assert await hooks.states(endpoint) == [DeliveryState.DELIVERED]


async def test_gone_disables_an_endpoint_until_it_is_enabled(hooks: Hooks) -> None:
    endpoint = await hooks.add()
    await hooks.tell()
    hooks.receiver.statuses.append(410)
    await hooks.deliverer.deliver_due()
    assert (await hooks.service.find("ann", endpoint.endpoint_id)).disabled == "gone"
    await hooks.tell()
    assert await hooks.deliverer.deliver_due() == 0
    await hooks.service.enable("ann", endpoint.endpoint_id)
    await hooks.tell()
    assert await hooks.deliverer.deliver_due() == 1


async def test_messages_go_out_as_soon_as_they_are_told_of(hooks: Hooks) -> None:
    await hooks.add()
    running = asyncio.create_task(hooks.deliverer.run(poll_s=60))
    for number in range(10):
        await hooks.tell(f"session.{number}")
    async with asyncio.timeout(20):
        await hooks.receiver.has_received(10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    kinds = {json.loads(one.body)["type"] for one in hooks.receiver.received}
    assert kinds == {f"session.{number}" for number in range(10)}


async def test_a_message_that_cannot_be_signed_holds_nobody_up(hooks: Hooks) -> None:
    endpoint = await hooks.add()
    async with hooks.database.writing() as connection:
        await connection.exec_driver_sql(
            """UPDATE webhook_endpoints SET secrets = '[{"secret": "broken"}]'"""
        )
    await hooks.tell()
    await hooks.deliverer.deliver_due()
    (delivery,) = await hooks.service.deliveries("ann", endpoint.endpoint_id, 9)
    assert (delivery.state, delivery.last_error) == (DeliveryState.WAITING, "no secret")


async def test_an_owner_cannot_reach_what_is_anothers(hooks: Hooks) -> None:
    endpoint_id = (await hooks.add()).endpoint_id
    for work in (
        hooks.service.find("bob", endpoint_id),
        hooks.service.rotate("bob", endpoint_id),
        hooks.service.enable("bob", endpoint_id),
        hooks.service.remove("bob", endpoint_id),
        hooks.service.deliveries("bob", endpoint_id, 9),
        hooks.service.redeliver("bob", "msg_1"),
    ):
        with pytest.raises(NotFound):
            await work
    await hooks.service.remove("ann", endpoint_id)
    assert await hooks.service.endpoints("ann") == []


async def test_too_many_endpoints_and_wrong_urls_are_refused(hooks: Hooks) -> None:
    with pytest.raises(InvalidInput):
        await hooks.service.add("ann", "ftp://example.com")
    for _ in range(3):
        await hooks.add()
    with pytest.raises(Conflict):
        await hooks.add()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_delivering_goes_on_after_the_database_was_away(
    hooks: Hooks, postgres_server: PostgresServer
) -> None:
    await hooks.add()
    running = asyncio.create_task(hooks.deliverer.run(poll_s=0.01))
    await hooks.tell("session.1")
    await hooks.receiver.has_received(1)
    postgres_server.kill()
    with pytest.raises(DatabaseFailed):
        await hooks.tell("session.lost")
    postgres_server.start()
    await hooks.tell("session.2")
    async with asyncio.timeout(20):
        await hooks.receiver.has_received(2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    kinds = [json.loads(one.body)["type"] for one in hooks.receiver.received]
    assert {*kinds} == {"session.1", "session.2"}
