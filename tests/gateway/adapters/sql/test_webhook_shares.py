"""Whose messages are taken when there are more than can be under way at once."""

import pytest

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.webhook_book import SqlWebhookBook
from gateway.adapters.sql.webhook_outbox import SqlWebhookOutbox
from gateway.domain.webhooks import Shares, Tried
from tests.gateway.adapters.sql.telling import Teller, endpoint, up_to
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

ACCEPTED = Tried(is_accepted=True, status=204)


class Outbox(SqlWebhookOutbox):
    """An outbox, and those who are told from it."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        super().__init__(database, clock, lease_s=30)
        self.book, self.tell = SqlWebhookBook(database, clock), Teller(database, clock)
        self.clock = clock

    async def told(self, owner: str, *names: str, messages: int = 1) -> None:
        """Endpoints of an owner, each with so many messages, older than all that come later."""
        for name in names:
            await self.book.add(endpoint(name, owner), 99)
        for _ in range(messages):
            await self.tell(owner=owner)
        self.clock.time_s += 1


@pytest.fixture
def outbox(database: Database, clock: ManualClock) -> Outbox:
    return Outbox(database, clock)


async def test_an_endpoint_has_its_share_and_the_next_when_one_has_ended(outbox: Outbox) -> None:
    await outbox.told("ann", "ep_1", messages=5)
    shares = Shares(at_once=9, per_owner=9, per_endpoint=2)
    first, second = await outbox.take(shares)
    assert await outbox.take(shares, [first, second]) == []
    assert await outbox.settle(first, ACCEPTED)
    (third,) = await outbox.take(shares, [second])
    assert third.message_id not in {first.message_id, second.message_id}


async def test_an_owner_has_his_share_over_all_his_endpoints(outbox: Outbox) -> None:
    await outbox.told("ann", *(f"ep_{n}" for n in range(9)))
    shares = Shares(at_once=9, per_owner=4, per_endpoint=2)
    taken = list(await outbox.take(shares))
    assert [one.owner for one in taken] == ["ann"] * 4
    assert await outbox.take(shares, taken) == []
    assert len(await outbox.take(shares, taken[1:])) == 1


async def test_a_backlog_holds_up_nobody_else(outbox: Outbox) -> None:
    await outbox.told("bad", "ep_bad", messages=65)
    await outbox.told("ann", "ep_ann")
    taken = await outbox.take(Shares(at_once=16, per_owner=8, per_endpoint=2))
    assert [one.endpoint_id for one in taken].count("ep_ann") == 1
    assert [one.endpoint_id for one in taken].count("ep_bad") == 2


async def test_a_backlog_holds_up_no_other_endpoint_of_its_owner(outbox: Outbox) -> None:
    await outbox.told("ann", "ep_bad", messages=65)
    await outbox.told("ann", "ep_good")
    taken = await outbox.take(Shares(at_once=16, per_owner=8, per_endpoint=2))
    assert {one.endpoint_id for one in taken} == {"ep_bad", "ep_good"}


async def test_who_has_the_fewest_under_way_goes_first(outbox: Outbox) -> None:
    await outbox.told("bad", *(f"ep_{n}" for n in range(9)))
    await outbox.told("ann", "ep_ann", messages=2)
    await outbox.told("bob", "ep_bob")
    busy = await outbox.take(Shares(at_once=2, per_owner=9, per_endpoint=9))
    assert [one.owner for one in busy] == ["bad", "ann"]
    rest = await outbox.take(Shares(at_once=5, per_owner=9, per_endpoint=9), busy)
    assert [one.owner for one in rest] == ["bob", "bad", "ann"]


async def test_within_its_share_the_oldest_goes_first(outbox: Outbox) -> None:
    for number in range(3):
        outbox.clock.time_s += 1
        await outbox.told("ann", *(["ep_1"] if number == 0 else []))
    taken = [one for _ in range(3) for one in await outbox.take(up_to(1))]
    ages = await outbox.book.deliveries("ann", "ep_1", 9)
    assert [one.message_id for one in taken] == [one.message_id for one in reversed(ages)]


async def test_no_room_takes_nothing(outbox: Outbox) -> None:
    await outbox.told("ann", "ep_1", messages=3)
    busy = await outbox.take(up_to(2))
    assert await outbox.take(up_to(2), busy) == []
    assert await outbox.take(up_to(1), busy) == []
