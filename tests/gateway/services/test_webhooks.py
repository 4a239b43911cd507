import asyncio

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from gateway.adapters.sql.webhook_book import SqlWebhookBook
from gateway.adapters.sql.webhook_tables import webhook_endpoints
from gateway.domain.webhooks import PAUSES_S, DeliveryState, Secret
from gateway.errors.kinds import Conflict, InvalidInput, NotFound
from gateway.services.webhook_secrets import WebhookSecrets
from tests.gateway.hooks import Hooks

pytestmark = pytest.mark.anyio


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
    await book.change_secrets("ann", endpoint.endpoint_id, lambda _: others)
    await hooks.tell()
    await hooks.deliverer.deliver_due()
    assert hooks.receiver.received == []
    (delivery,) = await hooks.service.deliveries("ann", endpoint.endpoint_id, 9)
    assert (delivery.state, delivery.last_error) == (DeliveryState.WAITING, "no secret")
    await book.change_secrets("ann", endpoint.endpoint_id, lambda _: kept.secrets)
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


async def test_of_several_rotations_at_once_no_secret_is_lost(hooks: Hooks) -> None:
    endpoint = await hooks.add()
    rotated = await asyncio.gather(
        *(hooks.service.rotate("ann", endpoint.endpoint_id) for _ in range(3))
    )
    await hooks.tell()
    await hooks.deliverer.deliver_due()
    (received,) = hooks.receiver.received
    for one in (endpoint, *rotated):
        assert Webhook(one.secrets[0].secret).verify(received.body, received.headers)


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
