import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.adapters.outgoing import Outgoing
from gateway.domain.webhooks import Errand, Shares, Tried
from gateway.errors.kinds import DatabaseFailed
from gateway.ports.webhooks import WebhookOutbox
from gateway.services.webhook_deliverer import WebhookDeliverer
from tests.gateway.hooks import SHARES, Hooks
from tests.gateway.receiver import receiving
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio


@dataclass
class StumblingOutbox:
    """An outbox with a mistake in it: the next of these fail as nobody has foreseen."""

    outbox: WebhookOutbox
    faults: list[str] = field(default_factory=list)

    async def take(self, shares: Shares, under_way: Collection[Errand] = ()) -> Sequence[Errand]:
        self._may_stumble("take")
        return await self.outbox.take(shares, under_way)

    async def settle(self, errand: Errand, tried: Tried) -> bool:
        self._may_stumble("settle")
        return await self.outbox.settle(errand, tried)

    def _may_stumble(self, step: str) -> None:
        if step in self.faults:
            self.faults.remove(step)
            raise RuntimeError(step)


@asynccontextmanager
async def running(deliverer: WebhookDeliverer, poll_s: float) -> AsyncIterator[None]:
    """Deliver until the end of the block, which must not take long."""
    task = asyncio.create_task(deliverer.run(poll_s))
    try:
        async with asyncio.timeout(120):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_messages_go_out_as_soon_as_they_are_told_of(hooks: Hooks) -> None:
    await hooks.add()
    async with running(hooks.deliverer, poll_s=60):
        for number in range(10):
            await hooks.tell(f"session.{number}")
        await hooks.receiver.has_received(10)
    kinds = {json.loads(one.body)["type"] for one in hooks.receiver.received}
    assert kinds == {f"session.{number}" for number in range(10)}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_delivering_goes_on_after_the_database_was_away(
    hooks: Hooks, postgres_server: PostgresServer
) -> None:
    await hooks.add()
    async with running(hooks.deliverer, poll_s=0.01):
        await hooks.tell("session.1")
        await hooks.receiver.has_received(1)
        postgres_server.kill()
        with pytest.raises(DatabaseFailed):
            await hooks.tell("session.lost")
        postgres_server.start()
        await hooks.tell("session.2")
        await hooks.receiver.has_received(2)
    kinds = [json.loads(one.body)["type"] for one in hooks.receiver.received]
    assert {*kinds} == {"session.1", "session.2"}


@pytest.mark.parametrize("step", ["take", "settle"])
async def test_delivering_goes_on_after_a_mistake_of_ours(hooks: Hooks, step: str) -> None:
    await hooks.add()
    outbox = StumblingOutbox(hooks.outbox, [step])
    deliverer = WebhookDeliverer(
        outbox, hooks.outgoing, hooks.notices, hooks.clock, lambda: 0.0, Shares(1, 1, 1)
    )
    async with running(deliverer, poll_s=0.01):
        await hooks.tell("session.1")
        await hooks.tell("session.2")
        await hooks.receiver.has_received(2)
    assert outbox.faults == []


async def test_a_receiver_that_never_answers_holds_up_nobody_else(hooks: Hooks) -> None:
    """The calls' time-out is far beyond the test's own."""
    hooks.receiver.is_silent = True
    await hooks.add()
    for _ in range(65):
        await hooks.tell()
    async with receiving() as honest, Outgoing(600, 1000, allow_private=True) as outgoing:
        await hooks.service.add("bob", honest.url)
        deliverer = WebhookDeliverer(
            hooks.outbox, outgoing, hooks.notices, hooks.clock, lambda: 0.0, SHARES
        )
        async with running(deliverer, poll_s=0.1):
            await hooks.receiver.has_received(SHARES.per_endpoint)
            await hooks.tell(owner="bob")
            await honest.has_received(1)
    assert len(hooks.receiver.received) == SHARES.per_endpoint
