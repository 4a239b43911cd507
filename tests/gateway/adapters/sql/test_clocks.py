"""Gateways whose clocks are minutes apart, or jump, lose nothing and end nothing twice."""

import time
from dataclasses import dataclass, replace

import pytest
from pydantic import ValidationError

from gateway.adapters.clock import SharedClock, SystemClock
from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.domain.sessions import EventKind, Session
from gateway.domain.sessions_lifecycle import ENDED, State
from gateway.domain.sessions_queue import LONGEST_AHEAD_S
from gateway.ports.clock import Clock
from gateway.settings.sessions import SessionSettings
from tests.gateway.adapters.sql.conftest import RULES as USUAL
from tests.gateway.adapters.sql.drafts import ENGINES, OUTCOME, draft

pytestmark = pytest.mark.anyio

RULES = replace(USUAL, lease_s=120)
JUMPS = [-600.0, 600.0]


@dataclass
class WrongClock:
    """A machine's clock, so many seconds ahead of the others."""

    ahead_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead_s

    def monotonic(self) -> float:
        return 0.0  # nothing takes long, however long it takes


class Machine:
    """A gateway's view of the database, by a clock of its own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.clock = clock
        self.book = SqlSessionBook(database, clock)
        self.queue = SqlSessionQueue(database, clock, RULES)

    async def accept(self) -> str:
        return (await self.book.create(draft(self.clock.now()))).session_id

    async def ended_once(self, session_id: str) -> Session:
        found = await self.book.find(session_id, "ann")
        history = await self.book.history(session_id, "ann", 0, 100)
        assert found is not None
        assert history is not None
        told = [event.data["state"] for event in history.events if event.kind is EventKind.STATE]
        assert [state for state in told if state in ENDED] == [State.COMPLETED]
        return found


async def agreed(database: Database, own: WrongClock) -> Machine:
    clock = SharedClock(own)
    await clock.agree(database.now)
    return Machine(database, clock)


async def test_the_database_knows_the_time(database: Database) -> None:
    assert await database.now() == pytest.approx(time.time(), abs=60)


async def test_while_the_setting_of_the_lease_is_rolled_out_nobody_loses_anything(
    database: Database,
) -> None:
    clock, told = SystemClock(), SessionSettings()
    longest = replace(RULES, lease_s=LONGEST_AHEAD_S)
    new = SqlSessionQueue(database, clock, longest)
    old = SqlSessionQueue(database, clock, replace(RULES, lease_s=told.lease_s))
    book = SqlSessionBook(database, clock)
    session_id = (await book.create(draft(clock.now()))).session_id
    for _ in range(RULES.max_tries):
        claim = await new.claim("new", ENGINES)
        assert claim is not None
        assert await old.claim("old", ENGINES) is None
        assert not await old.tidy()
        assert await new.give_back(claim, 0, is_tried=claim.tries < RULES.max_tries)
    last = await new.claim("new", ENGINES)
    assert last is not None
    assert await new.complete(last, OUTCOME)
    found = await book.find(session_id, "ann")
    assert found is not None
    assert found.state is State.COMPLETED


@pytest.mark.parametrize("name", ["lease_s", "retry_longest_s"])
def test_no_setting_reaches_so_far_that_a_clock_seems_to_have_been_put_back(name: str) -> None:
    assert RULES.horizon_s > LONGEST_AHEAD_S
    SessionSettings.model_validate({name: LONGEST_AHEAD_S})
    with pytest.raises(ValidationError):
        SessionSettings.model_validate({name: LONGEST_AHEAD_S + 1})


@pytest.mark.parametrize("ahead_s", JUMPS)
async def test_a_gateway_with_a_wrong_clock_takes_nothing_from_others(
    database: Database, ahead_s: float
) -> None:
    right = await agreed(database, WrongClock())
    wrong = await agreed(database, WrongClock(ahead_s))
    session_id = await right.accept()
    claim = await right.queue.claim("right", ENGINES)
    assert claim is not None
    assert await wrong.queue.claim("wrong", ENGINES) is None
    assert len(await wrong.queue.tidy()) == 0
    assert await right.queue.complete(claim, OUTCOME)
    assert (await wrong.ended_once(session_id)).items[0].attempt == 1


@pytest.mark.parametrize("jump_s", JUMPS)
async def test_a_clock_that_jumps_while_an_item_is_made_changes_nothing(
    database: Database, jump_s: float
) -> None:
    own = WrongClock()
    jumping, other = await agreed(database, own), await agreed(database, WrongClock())
    session_id = await jumping.accept()
    claim = await jumping.queue.claim("jumping", ENGINES)
    assert claim is not None
    own.ahead_s += jump_s
    assert await jumping.queue.beat([claim.key]) == {claim.key}
    assert await other.queue.claim("other", ENGINES) is None
    assert len(await jumping.queue.tidy()) == 0
    assert await jumping.queue.complete(claim, OUTCOME)
    assert (await other.ended_once(session_id)).items[0].attempt == 1


@pytest.mark.parametrize("jump_s", JUMPS)
async def test_where_clocks_disagree_all_the_same_nothing_is_lost_or_doubled(
    database: Database, jump_s: float
) -> None:
    """As with SQLite, whose time is the machine's: it is set while an item is being made."""
    own = WrongClock()
    before, after = Machine(database, own), Machine(database, WrongClock(jump_s))
    session_id = await before.accept()
    lost = await before.queue.claim("before", ENGINES)
    assert lost is not None
    taken = await after.queue.claim("after", ENGINES)
    assert taken is not None
    assert (taken.session_id, taken.attempt) == (session_id, 2)
    assert not await before.queue.complete(lost, OUTCOME)
    assert await after.queue.complete(taken, OUTCOME)
    assert (await before.ended_once(session_id)).items[0].attempt == 2


async def test_what_was_accepted_before_the_clock_was_put_back_is_begun_at_once(
    database: Database,
) -> None:
    before, after = Machine(database, WrongClock()), Machine(database, WrongClock(-600))
    session_id = await before.accept()
    claim = await after.queue.claim("after", ENGINES)
    assert claim is not None
    assert claim.session_id == session_id
