"""Items that are given back again and again, in both databases."""

import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.domain.jobs import Progress
from gateway.domain.sessions import EventKind
from tests.gateway.adapters.sql.drafts import OUTCOME, draft
from tests.gateway.adapters.sql.test_queue import claimed
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


async def told(book: SqlSessionBook, session_id: str) -> list[tuple[str, object]]:
    """What watchers were told of an item: that it waits, is being made, or how far it is."""
    history = await book.history(session_id, "ann", 0, 1000)
    assert history is not None
    return [
        (event.kind, event.data.get("state", event.data.get("step")))
        for event in history.events
        if event.kind is not EventKind.STATE
    ]


async def test_watchers_of_what_bounces_are_told_once_and_again_when_it_gets_on(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    for bounces in range(20):
        claim = await claimed(queue)
        assert claim.bounces == bounces
        assert await queue.give_back(claim, 5, is_tried=False)
        clock.time_s += 5
    waited = [("item", "processing"), ("item", "created")]
    assert await told(book, made.session_id) == waited
    claim = await claimed(queue)
    assert await queue.progress(claim, Progress("denoise", 1, 2))
    assert await queue.progress(claim, Progress("denoise", 2, 2))
    assert await queue.give_back(claim, 5, is_tried=True)
    clock.time_s += 5
    got_on = [("item", "processing"), ("progress", 1), ("progress", 2), ("item", "created")]
    assert await told(book, made.session_id) == waited + got_on
    assert await queue.complete(await claimed(queue), OUTCOME)
    assert await told(book, made.session_id) == [*waited, *got_on, ("item", "completed")]


async def test_whoever_only_ends_does_not_make_an_item_wait_longer(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now()))
    assert await queue.give_back(await claimed(queue), 5, is_tried=False)
    clock.time_s += 5
    assert await queue.give_back(await claimed(queue), 0, is_tried=False)
    assert (await claimed(queue)).bounces == 1


async def test_what_is_taken_over_begins_to_wait_anew_and_is_told_of(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    assert await queue.give_back(await claimed(queue), 5, is_tried=False)
    clock.time_s += 5
    await claimed(queue)
    clock.time_s += 11
    assert (await claimed(queue)).bounces == 0
    assert (await told(book, made.session_id))[-1] == ("item", "processing")
