import asyncio

import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.domain.jobs import Progress
from gateway.domain.sessions import Claim, EventKind, Kind, Session
from gateway.domain.sessions_lifecycle import State
from gateway.errors.codes import ErrorCode
from tests.gateway.adapters.sql.drafts import ENGINE, ENGINES, FAULT, OUTCOME, draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


async def claimed(queue: SqlSessionQueue, runner: str = "one") -> Claim:
    claim = await queue.claim(runner, ENGINES)
    assert claim is not None
    return claim


async def seen(book: SqlSessionBook, session_id: str, owner: str = "ann") -> Session:
    session = await book.find(session_id, owner)
    assert session is not None
    return session


async def states_told(book: SqlSessionBook, session_id: str, owner: str = "ann") -> list[object]:
    history = await book.history(session_id, owner, 0, 100)
    assert history is not None
    events = history.events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.data["state"] for event in events if event.kind is EventKind.STATE]


async def test_an_item_is_claimed_told_of_and_completed(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    claim = await claimed(queue)
    assert (claim.session_id, claim.attempt, claim.tries) == (made.session_id, 1, 1)
    assert claim.ask.given == {"seed": 7}
    assert await queue.progress(claim, Progress("denoise", 3, 30))
    running = await seen(book, made.session_id)
    assert running.items[0].progress == Progress("denoise", 3, 30)
    clock.time_s += 2
    assert await queue.complete(claim, OUTCOME)
    session = await seen(book, made.session_id)
    assert (session.state, session.items[0].state) == (State.COMPLETED, State.COMPLETED)
    assert session.items[0].outcome == OUTCOME
    assert session.ended_at == clock.now()
    assert await states_told(book, made.session_id) == ["created", "processing", "completed"]


async def test_one_result_makes_a_batch_a_success_and_each_item_says_its_own(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now(), items=2))
    first, second = await claimed(queue), await claimed(queue)
    assert await queue.fail(first, FAULT)
    assert (await seen(book, made.session_id)).state is State.PROCESSING
    assert await queue.complete(second, OUTCOME)
    session = await seen(book, made.session_id)
    assert session.state is State.COMPLETED
    assert [item.state for item in session.items] == [State.FAILED, State.COMPLETED]
    assert session.items[0].fault == FAULT


@pytest.mark.parametrize("end", ["complete", "fail", "give_back", "progress"])
async def test_whoever_lost_an_item_changes_nothing_any_more(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock, end: str
) -> None:
    made = await book.create(draft(clock.now()))
    lost = await claimed(queue, "one")
    clock.time_s += 11
    claim = await claimed(queue, "two")
    assert (claim.session_id, claim.attempt) == (lost.session_id, 2)
    says = {
        "complete": lambda: queue.complete(lost, OUTCOME),
        "fail": lambda: queue.fail(lost, FAULT),
        "give_back": lambda: queue.give_back(lost, 0, is_tried=True),
        "progress": lambda: queue.progress(lost, Progress("denoise", 1, 2)),
    }
    before = await seen(book, made.session_id)
    assert not await says[end]()
    assert await seen(book, made.session_id) == before
    assert await queue.complete(claim, OUTCOME)
    assert (await states_told(book, made.session_id)).count("completed") == 1


async def test_an_answer_lost_on_the_way_is_asked_for_again_and_is_the_same(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    claim = await claimed(queue)
    assert await queue.complete(claim, OUTCOME)
    assert await queue.complete(claim, OUTCOME)
    assert not await queue.fail(claim, FAULT)
    assert await states_told(book, made.session_id) == ["created", "processing", "completed"]


async def test_a_lease_that_is_renewed_is_nobody_elses(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now()))
    claim = await claimed(queue, "one")
    for _ in range(3):
        clock.time_s += 9
        assert await queue.beat([claim.key]) == {claim.key}
        assert await queue.claim("two", ENGINES) is None


async def test_a_beat_tells_what_was_lost(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    kept, lost = [await book.create(draft(clock.now())) for _ in range(2)]
    claims = [await claimed(queue) for _ in range(2)]
    await book.cancel(lost.session_id, "ann")
    assert await queue.beat([claim.key for claim in claims]) == {(kept.session_id, 0, 1)}
    assert await queue.beat([]) == set()


async def test_what_was_claimed_without_the_runners_knowing_is_not_held_for_ever(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now()))
    unheard = await claimed(queue, "one")
    clock.time_s += 9
    await queue.beat([])
    clock.time_s += 2
    again = await claimed(queue, "one")
    assert (again.session_id, again.attempt) == (unheard.session_id, 2)


async def test_what_nobody_survives_is_given_up_with_its_reason(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    for attempt in (1, 2, 3):
        assert (await claimed(queue)).attempt == attempt
        clock.time_s += 11
    assert await queue.claim("one", ENGINES) is None
    assert len(await queue.tidy()) == 1
    session = await seen(book, made.session_id)
    fault = session.items[0].fault
    assert session.state is State.FAILED
    assert fault is not None
    assert (fault.code, fault.details["reason"]) == (ErrorCode.INFERENCE_FAILED, "given_up")
    assert len(await queue.tidy()) == 0


async def test_what_is_given_back_untried_is_not_counted_and_waits(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    for attempt in range(1, 6):
        claim = await claimed(queue)
        assert (claim.attempt, claim.tries) == (attempt, 1)
        assert await queue.give_back(claim, 5, is_tried=False)
        assert await queue.claim("one", ENGINES) is None
        clock.time_s += 5
    assert (await seen(book, made.session_id)).state is State.PROCESSING


async def test_an_owner_has_so_many_items_running_and_others_go_on(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now() - 100, items=5))
    later = await book.create(draft(clock.now(), owner="bob"))
    mine = [await claimed(queue) for _ in range(2)]
    assert (await claimed(queue)).session_id == later.session_id
    assert await queue.claim("one", ENGINES) is None
    assert await queue.complete(mine[0], OUTCOME)
    assert (await claimed(queue)).owner == "ann"


async def test_what_was_lost_goes_in_the_order_of_all(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    for owner, age_s in (("ann", 200.0), ("bob", 100.0), ("eve", 300.0)):
        await book.create(draft(clock.now() - age_s, owner=owner))
    assert (await claimed(queue)).owner == "eve"
    assert (await claimed(queue)).owner == "ann"
    clock.time_s += 11
    assert [(await claimed(queue)).owner for _ in range(3)] == ["eve", "ann", "bob"]


async def test_previews_go_first_unless_others_are_old(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    now = clock.now()
    ages = {Kind.BATCH: 130.0, Kind.STANDARD: 30.0, Kind.PREVIEW: 0.0}
    for kind, age_s in ages.items():
        await book.create(draft(now - age_s, owner=kind, kind=kind))
    order = [(await claimed(queue)).kind for _ in ages]
    assert order == [Kind.BATCH, Kind.PREVIEW, Kind.STANDARD]


async def test_only_what_an_engine_serves_is_claimed(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    await book.create(draft(clock.now()))
    assert await queue.claim("one", ["idm_vton"]) is None
    assert await queue.claim("one", []) is None
    assert await queue.claim("one", ["idm_vton", ENGINE]) is not None


async def test_many_runners_at_once_never_share_an_item_or_break_the_limit(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = [await book.create(draft(clock.now(), owner=f"user-{n % 3}")) for n in range(12)]
    running, done, most = dict[str, int](), list[str](), 0

    async def run(runner: str) -> None:
        nonlocal most
        idle = 0
        while idle < 20:
            claim = await queue.claim(runner, ENGINES)
            if claim is None:
                idle += 1
                await asyncio.sleep(0.001)
                continue
            running[claim.owner] = running.get(claim.owner, 0) + 1
            most = max(most, *running.values())
            await queue.progress(claim, Progress("pose", 1, 2))
            running[claim.owner] -= 1
            assert await queue.complete(claim, OUTCOME)
            done.append(claim.session_id)

    await asyncio.gather(*(run(f"runner-{n}") for n in range(4)))
    assert sorted(done) == sorted(one.session_id for one in made)
    assert most <= 2


async def test_the_last_of_a_batchs_items_ends_it_though_all_end_at_once(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    for number in range(5):
        made = await book.create(draft(clock.now(), items=2, owner=f"user-{number}"))
        claims = [await claimed(queue) for _ in range(2)]
        assert all(await asyncio.gather(*(queue.complete(claim, OUTCOME) for claim in claims)))
        session = await seen(book, made.session_id, f"user-{number}")
        assert session.state is State.COMPLETED
        told = await states_told(book, made.session_id, f"user-{number}")
        assert told.count("completed") == 1


async def test_a_callers_own_limit_cancels_what_runs_and_expires_what_never_did(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    begun = await book.create(draft(clock.now(), cancel_after_s=5))
    claim = await claimed(queue)
    waiting = await book.create(draft(clock.now(), cancel_after_s=5))
    clock.time_s += 5
    assert await queue.claim("two", ENGINES) is None
    assert len(await queue.tidy()) == 2
    assert (await seen(book, begun.session_id)).state is State.CANCELLED
    assert (await seen(book, waiting.session_id)).state is State.EXPIRED
    assert not await queue.complete(claim, OUTCOME)


async def test_what_is_open_at_its_expiry_ends_there(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    await claimed(queue)
    clock.time_s += 86_400
    assert len(await queue.tidy()) == 1
    assert len(await queue.tidy()) == 0
    due = await book.to_erase(10)
    assert [(one.session_id, one.state) for one in due] == [(made.session_id, State.EXPIRED)]


async def test_where_one_stands_and_for_how_long(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    done = await book.create(draft(clock.now()))
    claim = await claimed(queue)
    clock.time_s += 4
    await queue.complete(claim, OUTCOME)
    made = [await book.create(draft(clock.now() + n, owner=f"user-{n}")) for n in range(3)]
    places = [(await seen(book, one.session_id, f"user-{n}")).place for n, one in enumerate(made)]
    assert [(place.queue_position, place.estimate_s) for place in places if place] == [
        (0, 4.0),
        (1, 8.0),
        (2, 12.0),
    ]
    assert (await seen(book, done.session_id)).place is None
