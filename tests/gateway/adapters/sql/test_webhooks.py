import asyncio
import json
from contextlib import suppress

import pytest
from sqlalchemy import Connection

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.webhook_book import SqlWebhookBook
from gateway.adapters.sql.webhook_outbox import SqlWebhookOutbox, enqueue
from gateway.domain.webhooks import DeliveryState, Secret, Tried
from tests.gateway.adapters.sql.drafts import draft
from tests.gateway.adapters.sql.telling import Teller, endpoint, up_to
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

LEASE_S = 30.0
ACCEPTED = Tried(is_accepted=True, status=204)
LATER = Tried(is_accepted=False, status=500, error="refused", wait_s=60)
NEVER = Tried(is_accepted=False, status=500, error="refused")
GONE = Tried(is_accepted=False, status=410, error="gone", is_gone=True)


@pytest.fixture
def hooks(database: Database, clock: ManualClock) -> SqlWebhookBook:
    return SqlWebhookBook(database, clock)


@pytest.fixture
def outbox(database: Database, clock: ManualClock) -> SqlWebhookOutbox:
    return SqlWebhookOutbox(database, clock, LEASE_S)


@pytest.fixture
def rows(database: Database, clock: ManualClock) -> SqlEraser:
    return SqlEraser(database, clock)


@pytest.fixture
def tell(database: Database, clock: ManualClock) -> Teller:
    return Teller(database, clock)


async def test_an_event_is_a_message_to_each_endpoint_of_its_owner(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, tell: Teller
) -> None:
    for one in (endpoint("ep_1"), endpoint("ep_2"), endpoint("ep_3", owner="bob")):
        assert await hooks.add(one, 9)
    assert await tell(data={"session_id": "s"}) == 2
    errands = await outbox.take(up_to(9))
    assert {errand.url[-4:] for errand in errands} == {"ep_1", "ep_2"}
    assert {errand.secrets for errand in errands} == {(Secret("whsec_1"),)}
    body = json.loads(errands[0].body)
    assert (body["type"], body["data"]) == ("session.completed", {"session_id": "s"})
    assert len({errand.message_id for errand in errands}) == 2


async def test_an_endpoint_is_told_of_the_kinds_it_asked_for(
    hooks: SqlWebhookBook, tell: Teller
) -> None:
    await hooks.add(endpoint(kinds="session.failed session.completed"), 9)
    assert await tell("session.completed") == 1
    assert await tell("session.created") == 0


async def test_what_is_rolled_back_is_told_to_nobody(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, database: Database, clock: ManualClock
) -> None:
    await hooks.add(endpoint(), 9)

    def tell(connection: Connection) -> None:
        assert enqueue(connection, "ann", None, "session.completed", {}, clock.now())
        raise ZeroDivisionError

    with suppress(ZeroDivisionError):
        await database.write(tell)
    assert await outbox.take(up_to(9)) == []


async def test_a_message_is_taken_once_until_its_lease_is_over(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, tell: Teller, clock: ManualClock
) -> None:
    await hooks.add(endpoint(), 9)
    for _ in range(5):
        await tell()
    taken = await asyncio.gather(*(outbox.take(up_to(2)) for _ in range(5)))
    messages = [errand.message_id for errands in taken for errand in errands]
    assert len(messages) == len(set(messages))
    rest = await outbox.take(up_to(9))
    assert len(messages) + len(rest) == 5
    clock.time_s += LEASE_S
    assert len(await outbox.take(up_to(9))) == 5


async def test_whoever_lost_a_message_changes_nothing_any_more(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, tell: Teller, clock: ManualClock
) -> None:
    await hooks.add(endpoint(), 9)
    await tell()
    (lost,) = await outbox.take(up_to(1))
    clock.time_s += LEASE_S
    (taken,) = await outbox.take(up_to(1))
    assert not await outbox.settle(lost, NEVER)
    assert await outbox.settle(taken, ACCEPTED)
    assert not await outbox.settle(taken, NEVER)
    (delivery,) = await hooks.deliveries("ann", "ep_1", 9)
    assert (delivery.state, delivery.tries) == (DeliveryState.DELIVERED, 1)
    assert (delivery.last_status, delivery.ended_at) == (204, clock.now())


async def test_a_failed_try_is_repeated_later_and_the_last_one_is_not(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, tell: Teller, clock: ManualClock
) -> None:
    await hooks.add(endpoint(), 9)
    await tell()
    (first,) = await outbox.take(up_to(9))
    await outbox.settle(first, LATER)
    clock.time_s += 59
    assert await outbox.take(up_to(9)) == []
    clock.time_s += 1
    (second,) = await outbox.take(up_to(9))
    assert (second.message_id, second.tries) == (first.message_id, 1)
    await outbox.settle(second, NEVER)
    clock.time_s += 1e6
    assert await outbox.take(up_to(9)) == []
    (delivery,) = await hooks.deliveries("ann", "ep_1", 9)
    assert (delivery.state, delivery.tries) == (DeliveryState.FAILED, 2)


async def test_a_receiver_that_is_gone_is_told_nothing_until_it_is_enabled(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, tell: Teller
) -> None:
    await hooks.add(endpoint(), 9)
    for _ in range(3):
        await tell()
    (first,) = await outbox.take(up_to(1))
    await outbox.settle(first, GONE)
    found = await hooks.find("ann", "ep_1")
    assert found is not None
    assert found.disabled == "gone"
    assert await tell() == 0
    assert await outbox.take(up_to(9)) == []
    states = {one.state for one in await hooks.deliveries("ann", "ep_1", 9)}
    assert states == {DeliveryState.FAILED}
    assert not await hooks.redeliver("ann", first.message_id)
    assert await hooks.enable("ann", "ep_1")
    assert await tell() == 1


async def test_a_message_is_delivered_anew_on_demand(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, tell: Teller
) -> None:
    await hooks.add(endpoint(), 9)
    await tell()
    (first,) = await outbox.take(up_to(9))
    await outbox.settle(first, NEVER)
    assert not await hooks.redeliver("bob", first.message_id)
    assert await hooks.redeliver("ann", first.message_id)
    (again,) = await outbox.take(up_to(9))
    assert (again.message_id, again.tries, again.body) == (first.message_id, 0, first.body)
    assert not await outbox.settle(first, NEVER)
    assert await outbox.settle(again, ACCEPTED)


async def test_an_endpoint_is_its_owners_alone(hooks: SqlWebhookBook, tell: Teller) -> None:
    await hooks.add(endpoint(), 9)
    await tell()
    assert await hooks.endpoints("bob") == []
    assert await hooks.find("bob", "ep_1") is None
    assert await hooks.change_secrets("bob", "ep_1", lambda _: []) is None
    assert not await hooks.enable("bob", "ep_1")
    assert not await hooks.remove("bob", "ep_1")
    assert await hooks.deliveries("bob", "ep_1", 9) == []
    (found,) = await hooks.endpoints("ann")
    assert found == await hooks.find("ann", "ep_1")


async def test_an_owner_has_so_many_endpoints_at_most(hooks: SqlWebhookBook) -> None:
    added = await asyncio.gather(*(hooks.add(endpoint(f"ep_{n}"), 3) for n in range(5)))
    assert sorted(added) == [False, False, True, True, True]
    assert len(await hooks.endpoints("ann")) == 3


async def test_what_is_removed_takes_its_messages_along(
    hooks: SqlWebhookBook, outbox: SqlWebhookOutbox, tell: Teller
) -> None:
    await hooks.add(endpoint(), 9)
    await tell()
    assert await hooks.remove("ann", "ep_1")
    assert await outbox.take(up_to(9)) == []


async def test_a_session_may_have_an_endpoint_of_its_own_and_takes_all_of_it_along(
    hooks: SqlWebhookBook,
    outbox: SqlWebhookOutbox,
    tell: Teller,
    book: SqlSessionBook,
    clock: ManualClock,
    database: Database,
) -> None:
    ours, other = draft(clock.now()), draft(clock.now())
    for one in (ours, other):
        await book.create(one)
    await hooks.add(endpoint("ep_1", session_id=ours.session_id), 9)
    await hooks.add(endpoint("ep_2"), 9)
    assert [one.endpoint_id for one in await hooks.endpoints("ann")] == ["ep_2"]
    assert await tell(session_id=other.session_id) == 1
    assert await tell(session_id=ours.session_id) == 2
    async with database.writing() as connection:
        await connection.exec_driver_sql(f"DELETE FROM sessions WHERE id = '{ours.session_id}'")  # noqa: S608 - our own id
    assert [one.url[-4:] for one in await outbox.take(up_to(9))] == ["ep_2"]
    assert await hooks.find("ann", "ep_1") is None


async def test_ended_deliveries_are_cleared_and_open_ones_stay(
    hooks: SqlWebhookBook,
    outbox: SqlWebhookOutbox,
    tell: Teller,
    clock: ManualClock,
    rows: SqlEraser,
) -> None:
    await hooks.add(endpoint(), 9)
    for _ in range(2):
        await tell()
    (first, second) = await outbox.take(up_to(2))
    await outbox.settle(first, ACCEPTED)
    await outbox.settle(second, LATER)
    clock.time_s += 100
    assert await rows.clear_messages(101) == 0
    assert await rows.clear_messages(99) == 1
    (left,) = await hooks.deliveries("ann", "ep_1", 9)
    assert left.state is DeliveryState.WAITING


async def test_what_nobody_has_tried_for_long_is_cleared(
    hooks: SqlWebhookBook,
    outbox: SqlWebhookOutbox,
    tell: Teller,
    clock: ManualClock,
    rows: SqlEraser,
) -> None:
    await hooks.add(endpoint(), 9)
    await tell()
    clock.time_s += 100
    assert await rows.clear_messages(101) == 0
    assert await rows.clear_messages(99) == 1
    assert await outbox.take(up_to(9)) == []
