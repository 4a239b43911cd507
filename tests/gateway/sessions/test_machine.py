"""Anything that can happen to sessions, in any order, against a model of what must come of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
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
from sqlalchemy import Connection, delete, select

from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.migrating import migrate
from gateway.adapters.sql.queue import QueueRules, SqlSessionQueue
from gateway.adapters.sql.tables import idempotency_keys, session_events, sessions
from gateway.domain.audit import AuditEvent
from gateway.domain.jobs import Progress
from gateway.domain.sessions import Claim, RepeatKey
from gateway.domain.sessions_lifecycle import Move, State
from gateway.errors.kinds import Conflict
from gateway.services.erasing import EVENT
from tests.gateway.adapters.sql.drafts import DAY_S, ENGINES, FAULT, OUTCOME, draft
from tests.gateway.running import ManualClock
from tests.gateway.sessions.model import Model, has_ended_once

T = TypeVar("T")

LEASE_S = 10
RULES = QueueRules(lease_s=LEASE_S, max_tries=3, per_owner=3)
OWNERS = ("ann", "bob")
WAIT_S = 5
RECENT = 4
SPANS_S = (0, 1, LEASE_S + 1, 30)
LIVES_S = (25, DAY_S)
"""Some sessions, and some keys, are over before the example is."""
AT_FIRST = (("ann", 3, DAY_S, None), ("ann", 1, LIVES_S[0], None), ("bob", 2, DAY_S, 15.0))
"""Owners with so many items, how long they are kept, and when they are cancelled by themselves."""


class Anything(RuleBasedStateMachine):
    """Owners make, repeat, cancel and forget; runners claim, end, stall and die; time passes.

    What is over ends, and what is over or forgotten is erased, now, later or never.
    """

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database = Database(database_url, 2, 60)
        self.clock = ManualClock()
        self.model = Model(RULES)
        self.claims: list[Claim] = []

    def do(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(_awaited(work))

    @property
    def now(self) -> float:
        return self.clock.now()

    @initialize()
    def open(self) -> None:
        self.do(self.emptied())
        self.book = SqlSessionBook(self.database, self.clock)
        self.queue = SqlSessionQueue(self.database, self.clock, RULES)
        self.eraser = SqlEraser(self.database, self.clock)
        self.audit = SqlAuditLog(self.database)
        for owner, items, lives_s, cancel_after_s in AT_FIRST:
            repeat = RepeatKey(f"{items}", "h", self.now + DAY_S)
            self.make(owner, items, repeat, lives_s, cancel_after_s)

    async def emptied(self) -> None:
        await migrate(self.database)
        async with self.database.writing() as connection:
            for table in (idempotency_keys, sessions):
                await connection.execute(delete(table))

    @rule(
        owner=st.sampled_from(OWNERS),
        items=st.integers(1, 3),
        repeat=st.builds(RepeatKey, st.sampled_from("xyz"), st.sampled_from("hhhj"), st.none()),
        lives_s=st.sampled_from(LIVES_S),
        key_lives_s=st.sampled_from(LIVES_S),
        cancel_after_s=st.sampled_from([None, None, 15.0]),
    )
    def create(
        self,
        owner: str,
        items: int,
        repeat: RepeatKey,
        lives_s: float,
        key_lives_s: float,
        cancel_after_s: float | None,
    ) -> None:
        repeat = replace(repeat, expires_at=self.now + key_lives_s)
        self.make(owner, items, repeat, lives_s, cancel_after_s)

    def make(
        self,
        owner: str,
        items: int,
        repeat: RepeatKey,
        lives_s: float,
        cancel_after_s: float | None,
    ) -> None:
        made = draft(self.now, items, owner, cancel_after_s=cancel_after_s)
        made = replace(made, expires_at=self.now + lives_s)
        earlier = self.model.earlier(owner, repeat.key, self.now)
        if earlier is not None and earlier[1].body_hash != repeat.body_hash:
            for refused in (self.book.repeated(owner, repeat), self.book.create(made, repeat)):
                with pytest.raises(Conflict):
                    self.do(refused)
            return
        assert self.do(self.book.repeated(owner, repeat)) == (earlier and earlier[0])
        created = self.do(self.book.create(made, repeat))
        assert created.is_repeat == (earlier is not None)
        if earlier is None:
            self.model.create(made, repeat)
        assert created.session_id == (earlier[0] if earlier else made.session_id)

    @rule(times=st.integers(1, 4), stall=st.booleans())
    def claim(self, times: int, stall: bool) -> None:  # noqa: FBT001
        """Begin some items, or one after the other, of which each is lost."""
        for _ in range(times):
            expected = self.model.next(self.now)
            claim = self.do(self.queue.claim("runner", ENGINES))
            if claim is None:
                assert not expected
                return
            assert (claim.session_id, claim.position) in expected
            self.model.claim(claim, self.now)
            item = self.model.held(claim)
            assert item is not None
            assert (claim.attempt, claim.tries) == (item.attempt, item.tries)
            self.claims.append(claim)
            self.clock.time_s += (LEASE_S + 1) * stall

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), end=st.sampled_from(["complete", "complete", "fail"]))
    def end(self, data: st.DataObject, end: str) -> None:
        claim = data.draw(st.sampled_from(self.claims[-RECENT:]))
        says: dict[str, tuple[Move, Callable[[], Awaitable[bool]]]] = {
            "complete": (Move.COMPLETE, lambda: self.queue.complete(claim, OUTCOME)),
            "fail": (Move.FAIL, lambda: self.queue.fail(claim, FAULT)),
        }
        move, say = says[end]
        assert self.do(say()) == self.model.end(claim, move)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), wait_s=st.sampled_from([0, WAIT_S]), is_tried=st.booleans())
    def give_back(self, data: st.DataObject, wait_s: float, is_tried: bool) -> None:  # noqa: FBT001
        claim = data.draw(st.sampled_from(self.claims[-RECENT:]))
        held = self.model.held(claim)
        was_ours = self.do(self.queue.give_back(claim, wait_s, is_tried=is_tried))
        assert was_ours == self.model.end(claim, Move.GIVE_BACK)
        if held is not None:
            held.tries -= not is_tried
            held.not_before = self.now + wait_s

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims[-RECENT:]))
        held = [(one, self.model.held(one)) for one in self.claims]
        told = self.do(self.queue.beat([one.key for one in self.claims]))
        assert set(told) == {one.key for one, item in held if item is not None}
        for _, item in held:
            if item is not None:
                item.lease_until = self.now + RULES.lease_s
        is_still = self.model.held(claim) is not None
        assert self.do(self.queue.progress(claim, Progress("denoise", 1, 2))) == is_still

    @rule(seconds=st.sampled_from(SPANS_S), tidies=st.booleans())
    def time_passes(self, seconds: int, tidies: bool) -> None:  # noqa: FBT001
        self.clock.time_s += seconds
        if not tidies:
            return
        assert self.do(self.eraser.clear_keys()) == self.model.clear_keys(self.now)
        assert set(self.do(self.queue.tidy())) == self.model.tidy(self.now)

    @precondition(lambda self: self.model.known)
    @rule(data=st.data(), forgets=st.booleans())
    def owner_ends(self, data: st.DataObject, forgets: bool) -> None:  # noqa: FBT001
        session_id = data.draw(st.sampled_from(sorted(self.model.known)))
        known = self.model.known[session_id]
        owner = known.draft.owner
        stranger = OWNERS[owner == OWNERS[0]]
        end = self.book.forget if forgets else self.book.cancel
        assert self.do(end(session_id, stranger)) is None
        told: Any = self.do(end(session_id, owner))
        if not known.is_shown(self.now):
            assert told is None
            return
        assert told is not None if forgets else told == known.is_open
        if known.is_open:
            known.end(Move.CANCEL)
        known.is_forgotten = forgets

    @precondition(lambda self: self.model.to_erase(self.now))
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        due = self.model.to_erase(self.now)
        assert {one.session_id for one in self.do(self.book.to_erase(100))} == due
        session_id = data.draw(st.sampled_from(sorted(due)))
        self.check(session_id)
        owner = self.model.known[session_id].draft.owner

        def line_of(counts: Mapping[str, int]) -> AuditEvent:
            return AuditEvent(session_id, self.now, EVENT, owner, detail=dict(counts))

        line = self.do(self.eraser.finish(session_id, line_of))
        assert line is not None
        assert line.detail["items"] == len(self.model.known[session_id].items)
        assert self.do(self.eraser.finish(session_id, line_of)) is None
        self.model.erase(session_id)

    def teardown(self) -> None:
        for session_id in self.model.known:
            self.check(session_id)
        erased = self.model.erased
        assert self.do(self.eraser.missing([*self.model.known, *erased])) == erased.keys()
        for session_id, owner in erased.items():
            assert self.do(self.events(session_id)) == []
            found = [self.do(self.audit.find(session_id, EVENT, one)) for one in OWNERS]
            assert [one is not None for one in found] == [owner == one for one in OWNERS]
        self.do(self.database.close())
        self.loop.close()

    def check(self, session_id: str) -> None:
        known = self.model.known[session_id]
        found = self.do(self.book.find(session_id, known.draft.owner))
        assert (found is not None) == known.is_shown(self.now)
        told = self.do(self.events(session_id))
        assert [number for number, _, _ in told] == [*range(1, len(told) + 1)]
        assert has_ended_once([state for _, item, state in told if item is None], known.state)
        assert known.is_open or told[-1][1:] == (None, known.state)
        for place, one in enumerate(known.items):
            assert has_ended_once([state for _, item, state in told if item == place], one.state)
        if found is not None:
            assert found.state is known.state
            assert found.last_event == len(told)
            shown = [(item.state, item.attempt) for item in found.items]
            assert shown == [(item.state, item.attempt) for item in known.items]

    async def events(self, session_id: str) -> list[tuple[int, int | None, State | None]]:
        """The numbers of what was told of a session, or of which item, and where that stood."""
        own = session_events.c
        wanted = select(own.seq, own.kind, own.data).where(own.session_id == session_id)

        def look(connection: Connection) -> list[tuple[int, int | None, State | None]]:
            return [
                (row.seq, row.data.get("item"), row.data.get("state"))
                for row in connection.execute(wanted.order_by(own.seq))
            ]

        return await self.database.read(look)


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
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
