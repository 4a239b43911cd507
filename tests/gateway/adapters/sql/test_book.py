import asyncio
from dataclasses import replace

import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.domain.audit import AuditEvent
from gateway.domain.sessions import Cursor, History, RepeatKey
from gateway.domain.sessions_lifecycle import ENDED, State
from gateway.errors.kinds import Conflict
from gateway.errors.limits import SessionsFull
from tests.gateway.adapters.sql.drafts import ENGINES, OUTCOME, draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


def repeat(clock: ManualClock, body_hash: str = "abc") -> RepeatKey:
    return RepeatKey("order-7", body_hash, clock.now() + 60)


async def test_a_session_is_its_owners_alone(book: SqlSessionBook, clock: ManualClock) -> None:
    made = await book.create(draft(clock.now()))
    assert await book.find(made.session_id, "ann") is not None
    assert await book.find(made.session_id, "bob") is None
    assert await book.page("bob", 10) == []
    assert await book.cancel(made.session_id, "bob") is None
    assert await book.forget(made.session_id, "bob") is None
    assert await book.history(made.session_id, "bob", 0, 10) is None
    session = await book.find(made.session_id, "ann")
    assert session is not None
    assert session.state is State.CREATED


async def test_what_is_accepted_is_told_as_it_was_written(
    book: SqlSessionBook, clock: ManualClock
) -> None:
    await book.create(draft(clock.now() - 1, owner="bob"))
    one = replace(draft(clock.now(), items=3), cancel_at=clock.now() + 9, payer="key")
    made = await book.create(one, repeat(clock))
    assert made.session == await book.find(made.session_id, "ann")
    assert made.session.place is not None
    assert made.session.place.queue_position == 1


async def test_ten_of_the_same_request_at_once_make_one_session(
    book: SqlSessionBook, clock: ManualClock
) -> None:
    made = await asyncio.gather(
        *(book.create(draft(clock.now()), repeat(clock)) for _ in range(10))
    )
    assert len({one.session_id for one in made}) == 1
    assert sum(not one.is_repeat for one in made) == 1
    assert len(await book.page("ann", 100)) == 1
    assert await book.repeated("ann", repeat(clock)) == made[0].session_id
    assert await book.repeated("bob", repeat(clock)) is None


async def test_a_key_is_for_one_body_and_for_a_day(
    book: SqlSessionBook, clock: ManualClock
) -> None:
    first = await book.create(draft(clock.now()), repeat(clock))
    with pytest.raises(Conflict):
        await book.create(draft(clock.now()), repeat(clock, "other"))
    with pytest.raises(Conflict):
        await book.repeated("ann", repeat(clock, "other"))
    clock.time_s += 60
    second = await book.create(draft(clock.now()), repeat(clock, "other"))
    assert first.session_id != second.session_id
    assert not second.is_repeat


async def test_a_list_is_read_page_by_page_the_newest_first(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = [await book.create(draft(clock.now() + n // 2, items=2)) for n in range(7)]
    found, after = list[str](), None
    while page := await book.page("ann", 3, after):
        found += [session.session_id for session in page]
        after = Cursor(page[-1].created_at, page[-1].session_id)
        assert [len(session.items) for session in page] == [2] * len(page)
    assert sorted(found) == sorted(one.session_id for one in made)
    assert len(found) == 7
    assert found[0] == made[6].session_id
    claim = await queue.claim("one", ENGINES)
    assert claim is not None
    running = await book.page("ann", 10, state=State.PROCESSING)
    assert [session.session_id for session in running] == [claim.session_id]


async def test_cancelling_ends_what_is_open_once(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now(), items=2))
    claim = await queue.claim("one", ENGINES)
    assert claim is not None
    assert await queue.complete(claim, OUTCOME)
    assert await book.cancel(made.session_id, "ann")
    assert await book.cancel(made.session_id, "ann") is False
    session = await book.find(made.session_id, "ann")
    assert session is not None
    assert session.state is State.CANCELLED
    assert [item.state for item in session.items] == [State.COMPLETED, State.CANCELLED]
    assert await queue.claim("one", ENGINES) is None


async def test_what_is_forgotten_or_over_is_found_by_nobody_until_it_is_erased(
    book: SqlSessionBook, queue: SqlSessionQueue, database: Database, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()), repeat(clock))
    over = await book.create(replace(draft(clock.now()), expires_at=clock.now()))
    assert await book.forget(made.session_id, "ann")
    assert await book.forget(made.session_id, "ann") is None
    assert await book.find(made.session_id, "ann") is None
    assert await book.repeated("ann", repeat(clock)) is None
    assert await book.page("ann", 10) == []
    assert await queue.claim("one", ENGINES) is None
    due = {session.session_id: session for session in await book.to_erase(10)}
    assert set(due) == {made.session_id, over.session_id}
    assert len(due[made.session_id].object_keys) == 2
    eraser = SqlEraser(database, clock)
    for session_id in due:
        line = AuditEvent(session_id, 0, "erased", "")
        assert await eraser.finish(session_id, lambda _, line=line: line)  # type: ignore[misc]
    assert await book.to_erase(10) == []
    assert await book.repeated("ann", repeat(clock)) is None
    assert await book.history(made.session_id, "ann", 0, 10) is None


async def test_events_go_on_from_the_last_one_seen(
    book: SqlSessionBook, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    await book.cancel(made.session_id, "ann")
    history = await book.history(made.session_id, "ann", 1, 10)
    assert history is not None
    assert [(event.seq, event.data) for event in history.events] == [
        (2, {"item": 0, "state": "cancelled"}),
        (3, {"state": "cancelled"}),
    ]
    assert await book.history(made.session_id, "ann", 3, 10) == History(State.CANCELLED, 3, [])


@pytest.mark.prop(16)
@pytest.mark.parametrize("by_owner", [True, False])
@pytest.mark.parametrize("is_begun", [True, False])
async def test_of_a_batch_that_is_ended_every_item_tells_its_own_end_once(
    book: SqlSessionBook,
    queue: SqlSessionQueue,
    clock: ManualClock,
    by_owner: bool,  # noqa: FBT001
    is_begun: bool,  # noqa: FBT001
) -> None:
    made = await book.create(draft(clock.now(), 3, cancel_after_s=9))
    if is_begun:
        claim = await queue.claim("one", ENGINES)
        assert claim is not None
        await queue.complete(claim, OUTCOME)
    if by_owner:
        await book.cancel(made.session_id, "ann")
    else:
        clock.time_s += 9
        await queue.tidy()
    history = await book.history(made.session_id, "ann", 0, 99)
    assert history is not None
    ends = [one.data for one in history.events if one.data.get("state") in ENDED]
    state = State.CANCELLED if by_owner or is_begun else State.EXPIRED
    states = [State.COMPLETED if is_begun else state, state, state]
    assert [(one.get("item"), one["state"]) for one in ends] == [*enumerate(states), (None, state)]
    assert [one.seq for one in history.events] == [*range(1, history.last_event + 1)]


async def test_an_owner_has_so_many_open_sessions_and_one_more_when_one_ends(
    book: SqlSessionBook, clock: ManualClock
) -> None:
    tries = [replace(draft(clock.now()), most_open=3) for _ in range(8)]
    made = await asyncio.gather(*map(book.create, tries), return_exceptions=True)
    refused = [one for one in made if isinstance(one, SessionsFull)]
    assert (len(refused), refused[0].details) == (5, {"open_sessions": 3})
    await book.create(replace(draft(clock.now(), owner="bob"), most_open=1))
    first = (await book.page("ann", 10))[0]
    await book.cancel(first.session_id, "ann")
    await book.create(replace(draft(clock.now()), most_open=3))
    with pytest.raises(SessionsFull):
        await book.create(replace(draft(clock.now()), most_open=3))
