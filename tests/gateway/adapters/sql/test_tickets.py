"""What engines elsewhere gave for an item goes with it to whoever begins it again."""

import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.errors.kinds import Conflict
from gateway.services.tickets import ItemTickets
from tests.gateway.adapters.sql.drafts import draft
from tests.gateway.adapters.sql.test_queue import claimed
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


async def test_whoever_takes_an_item_over_has_its_tickets(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now()))
    lost = ItemTickets(await claimed(queue, "one"), queue)
    await lost.keep("remote", "ticket")
    clock.time_s += 11
    found = ItemTickets(await claimed(queue, "two"), queue)
    assert (found.known("remote"), found.known("other")) == ("ticket", "")
    with pytest.raises(Conflict):
        await lost.keep("remote", "late")
    clock.time_s += 11
    again = await claimed(queue, "three")
    assert again.tickets == {"remote": "ticket"}


async def test_what_could_not_be_written_in_time_is_given_back_with_the_item(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now()))
    claim = await claimed(queue)
    assert await queue.give_back(claim, 5, {"remote": "ticket"}, is_tried=True)
    clock.time_s += 5
    assert (await claimed(queue)).tickets == {"remote": "ticket"}
