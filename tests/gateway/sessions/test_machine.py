"""Anything that can happen to sessions, in any order, against a model of what must come of it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.migrating import migrate
from gateway.adapters.sql.queue import QueueRules, SqlSessionQueue
from gateway.adapters.sql.tables import idempotency_keys, sessions
from gateway.domain.sessions import Claim, EventKind, RepeatKey
from gateway.domain.sessions_lifecycle import ENDED, State
from tests.gateway.adapters.sql.drafts import DAY_S, ENGINES, FAULT, OUTCOME, draft
from tests.gateway.running import ManualClock

T = TypeVar("T")

RULES = QueueRules(lease_s=10, max_tries=3, per_owner=3)
OWNERS = ("ann", "bob")


@dataclass
class Known:
    """What the model knows of a session: its items' attempts in hand, and which were completed."""

    owner: str
    items: int
    done: dict[int, str] = field(default_factory=dict)
    ended: State | None = None
    is_forgotten: bool = False


class Anything(RuleBasedStateMachine):
    """Owners make, cancel, forget and repeat; runners claim, end, stall and die; time passes."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database = Database(database_url, 2, 10)
        self.clock = ManualClock()
        self.known: dict[str, Known] = {}
        self.claims: list[Claim] = []
        self.holders: dict[tuple[str, int], int] = {}

    def do(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(_awaited(work))

    @initialize()
    def open(self) -> None:
        self.do(self.emptied())
        self.book = SqlSessionBook(self.database, self.clock)
        self.queue = SqlSessionQueue(self.database, self.clock, RULES)

    async def emptied(self) -> None:
        await migrate(self.database)
        async with self.database.writing() as connection:
            for table in (idempotency_keys, sessions):
                await connection.execute(delete(table))

    @rule(owner=st.sampled_from(OWNERS), items=st.integers(1, 3), key=st.sampled_from("xyz"))
    def create(self, owner: str, items: int, key: str) -> None:
        repeat = RepeatKey(f"{key}{items}", "same", self.clock.now() + DAY_S)
        earlier = self.do(self.book.repeated(owner, repeat))
        made = self.do(self.book.create(draft(self.clock.now(), items, owner), repeat))
        assert made.is_repeat == (earlier is not None)
        if made.is_repeat:
            assert made.session_id == earlier
        else:
            self.known[made.session_id] = Known(owner, items)

    @rule()
    def claim(self) -> None:
        claim = self.do(self.queue.claim("runner", ENGINES))
        if claim is not None:
            known = self.known[claim.session_id]
            assert known.ended is None
            assert claim.position not in known.done
            assert claim.attempt == self.holders.get((claim.session_id, claim.position), 0) + 1
            self.holders[claim.session_id, claim.position] = claim.attempt
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), end=st.sampled_from(["complete", "fail", "give_back"]))
    def end(self, data: st.DataObject, end: str) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        known = self.known[claim.session_id]
        held = self.holders[claim.session_id, claim.position]
        may = held == claim.attempt and known.ended is None
        before = known.done.get(claim.position)
        says: dict[str, Any] = {
            "complete": lambda: self.queue.complete(claim, OUTCOME),
            "fail": lambda: self.queue.fail(claim, FAULT),
            "give_back": lambda: self.queue.give_back(claim, 0, is_tried=True),
        }
        was_ours = self.do(says[end]())
        if before is None and may and was_ours and end != "give_back":
            known.done[claim.position] = end
            self.settle(known)
        elif before is not None or not may:
            assert not was_ours or end in {before, "give_back"}

    @rule(seconds=st.sampled_from([1, 11]))
    def time_passes(self, seconds: int) -> None:
        self.clock.time_s += seconds

    @rule()
    def tidy(self) -> None:
        self.do(self.queue.tidy())
        for session_id, known in self.known.items():
            found = self.do(self.book.find(session_id, known.owner))
            for item in found.items if found and known.ended is None else ():
                if item.state is State.FAILED and item.position not in known.done:
                    assert item.fault is not None
                    assert item.fault.details["reason"] == "given_up"
                    known.done[item.position] = "fail"
            if known.ended is None:
                self.settle(known)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), forgets=st.booleans())
    def owner_ends(self, data: st.DataObject, forgets: bool) -> None:  # noqa: FBT001
        session_id = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[session_id]
        stranger = OWNERS[known.owner == OWNERS[0]]
        assert self.do(self.book.cancel(session_id, stranger)) is None
        assert self.do(self.book.forget(session_id, stranger)) is None
        if known.is_forgotten:
            assert self.do(self.book.cancel(session_id, known.owner)) is None
            return
        if forgets:
            assert self.do(self.book.forget(session_id, known.owner)) is not None
            known.is_forgotten = True
        else:
            assert self.do(self.book.cancel(session_id, known.owner)) == (known.ended is None)
        known.ended = known.ended or State.CANCELLED

    @staticmethod
    def settle(known: Known) -> None:
        if len(known.done) == known.items:
            well = "complete" in known.done.values()
            known.ended = State.COMPLETED if well else State.FAILED

    def teardown(self) -> None:
        for session_id, known in self.known.items():
            self.check(session_id, known)
        self.do(self.database.close())
        self.loop.close()

    def check(self, session_id: str, known: Known) -> None:
        found = self.do(self.book.find(session_id, known.owner))
        if known.is_forgotten:
            assert found is None
            return
        history = self.do(self.book.history(session_id, known.owner, 0, 1000))
        assert found is not None
        assert history is not None
        events = history.events
        assert [event.seq for event in events] == list(range(1, found.last_event + 1))
        told = [event.data["state"] for event in events if event.kind is EventKind.STATE]
        ends = [state for state in told if state in ENDED]
        assert ends == ([] if known.ended is None else [known.ended])
        assert (found.state in ENDED) == (known.ended is not None)


async def _awaited(work: Awaitable[T]) -> T:
    return await work


@pytest.mark.slow
def test_whatever_happens_comes_out_as_the_model_says(database_url: str) -> None:
    class Here(Anything):
        def __init__(self) -> None:
            super().__init__(database_url)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
