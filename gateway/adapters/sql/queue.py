"""Sessions as runners see them: claimed under a lease, moved on while it holds, taken over after.

An attempt is a fencing token. Every write of a runner is guarded by it, so whoever lost an item
changes nothing any more, and each item ends exactly once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    tuple_,
    update,
)

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.due import Due, is_in_time
from gateway.adapters.sql.fencing import has_ended_so, is_still
from gateway.adapters.sql.records import claim_of, fault_json, outcome_json, progress_json
from gateway.adapters.sql.serving import first_of, has_enough, served
from gateway.adapters.sql.tables import session_items
from gateway.adapters.sql.telling import begun, was_told
from gateway.adapters.sql.tidying import end_what_is_over, over
from gateway.adapters.sql.turns import Turns
from gateway.domain.jobs import Progress
from gateway.domain.sessions import Claim, ClaimKey, EventKind, Fault, Outcome
from gateway.domain.sessions_lifecycle import Move, State, origins
from gateway.domain.sessions_queue import HORIZON_S
from gateway.ports.clock import Clock
from gateway.ports.sessions import NO_TICKETS, NOBODY


@dataclass(frozen=True, slots=True)
class QueueRules:
    """How long a lease holds, how often an item is begun, how many items of one owner run."""

    lease_s: float
    max_tries: int
    per_owner: int
    horizon_s: ClassVar[float] = HORIZON_S


class SqlSessionQueue:
    """Implements the SessionQueue port; `tells` whether endpoints of webhooks are told."""

    def __init__(
        self, database: Database, clock: Clock, rules: QueueRules, *, tells: bool = True
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._due = Due(rules.max_tries, rules.horizon_s)
        self._turns = Turns(tells)

    async def claim(
        self,
        runner: str,
        engines: Collection[str],
        instead: Mapping[str, Collection[str]] = NOBODY,
    ) -> Claim | None:
        """Take the item that is next for these engines, or for others in their place."""
        able = served(engines, instead)
        return await self._database.write(partial(self._claim, runner, able), goes_first=True)

    async def beat(self, held: Collection[ClaimKey]) -> Collection[ClaimKey]:
        """Renew the leases of claims; those that still hold."""
        return await self._database.write(partial(self._beat, held), goes_first=True)

    async def progress(self, claim: Claim, progress: Progress) -> bool:
        """Say how far an item is; whether it is still the runner's."""
        return await self._database.write(partial(self._progress, claim, progress), goes_first=True)

    async def complete(self, claim: Claim, outcome: Outcome) -> bool:
        """End an item well; whether it was still the runner's, or has ended so before."""
        changes = {"outcome": outcome_json(outcome), "progress": None, "tickets": None}
        return await self._end(claim, Move.COMPLETE, changes, {})

    async def fail(self, claim: Claim, fault: Fault) -> bool:
        """End an item that failed for good; whether it was still the runner's."""
        told = fault_json(fault)
        changes = {"fault": told, "progress": None, "tickets": None}
        return await self._end(claim, Move.FAIL, changes, told)

    async def remember(self, claim: Claim, tickets: Mapping[str, str]) -> bool:
        """Keep the tickets of engines elsewhere; whether the item is still the runner's."""
        return await self._database.write(
            partial(self._remember, claim, dict(tickets)), goes_first=True
        )

    async def give_back(
        self,
        claim: Claim,
        wait_s: float,
        tickets: Mapping[str, str] = NO_TICKETS,
        *,
        is_tried: bool,
    ) -> bool:
        """Let others have an item after a while; not counted unless `is_tried`."""
        changes = {
            "runner": None,
            "lease_until": None,
            "not_before": self._clock.now() + wait_s,
            "tries": claim.tries - (not is_tried),
            "bounces": claim.bounces + (wait_s > 0),
            "tickets": dict(tickets) or None,
            "progress": None,
        }
        return await self._end(claim, Move.GIVE_BACK, changes, {})

    async def tidy(self) -> Collection[str]:
        """End sessions past their time, and items that nobody survived; which were touched."""
        found = await self._database.read(self._over)
        for session_id in found:
            await self._database.write(partial(self._tidy_one, session_id), goes_first=True)
        return found

    async def _end(
        self, claim: Claim, move: Move, changes: dict[str, Any], told: Mapping[str, Any]
    ) -> bool:
        return await self._database.write(
            partial(self._ended, claim, move, changes, told), goes_first=True
        )

    def _claim(
        self, runner: str, able: Sequence[ColumnElement[bool]], connection: Connection
    ) -> Claim | None:
        passed_over: set[str] = set()
        now = self._clock.now()
        while (row := self._next(connection, able, passed_over, now)) is not None:
            if self._may_run(connection, row.owner, now):
                claim = claim_of(row)
                self._take(connection, claim, State(row.state), runner, now)
                return claim
            passed_over.add(row.owner)
        return None

    def _beat(self, held: Collection[ClaimKey], connection: Connection) -> Collection[ClaimKey]:
        items = session_items.c
        which = tuple_(items.session_id, items.position, items.attempt)
        ours = and_(which.in_(sorted(held)), items.state == State.PROCESSING.value)
        # Whoever holds a row changes it now: it is renewed the next time, or gone.
        free = select(items.session_id, items.position).where(ours)
        renewed = (
            update(session_items)
            .where(
                tuple_(items.session_id, items.position).in_(free.with_for_update(skip_locked=True))
            )
            .values(lease_until=self._clock.now() + self._rules.lease_s)
        )
        connection.execute(renewed)
        still = select(items.session_id, items.position, items.attempt).where(ours)
        return {tuple(row) for row in connection.execute(still)}

    def _progress(self, claim: Claim, progress: Progress, connection: Connection) -> bool:
        told = progress_json(progress)
        turn = self._turns.take(connection, claim.session_id, self._clock.now())
        is_known = turn is not None and was_told(connection, claim)
        if turn is None or not _note(connection, claim, progress=told):
            return False
        if not is_known:
            turn.tell(EventKind.ITEM, begun(claim))
        turn.tell(EventKind.PROGRESS, {"item": claim.position, **told})
        turn.close()
        return True

    def _remember(self, claim: Claim, tickets: dict[str, str], connection: Connection) -> bool:
        turn = self._turns.take(connection, claim.session_id, self._clock.now())
        return turn is not None and _note(connection, claim, tickets=tickets)

    def _next(
        self,
        connection: Connection,
        able: Sequence[ColumnElement[bool]],
        passed_over: Collection[str],
        now: float,
    ) -> Row[Any] | None:
        """Hold the item that is next: the first of those that wait, by engine, and of the lost."""
        waits, is_lost = self._due.waits(now), self._due.is_lost(now)
        wanted = [and_(waits, one) for one in able] + [and_(is_lost, or_(false(), *able))]
        enough = has_enough(self._rules.per_owner, now)
        free = (session_items.c.owner.not_in(passed_over), ~enough, *is_in_time(now))
        firsts = (connection.execute(first_of(one, *free)) for one in wanted)
        found = [row for first in firsts if (row := first.one_or_none()) is not None]
        return min(found, key=lambda row: (row.rank, row.session_id), default=None)

    def _may_run(self, connection: Connection, owner: str, now: float) -> bool:
        """Whether one more of an owner's items may run; nobody else decides it meanwhile."""
        if not self._database.try_hold(connection, f"runs {owner}"):
            return False
        told = {"owner": owner, "state": State.PROCESSING.value, "now": now}
        count: int = connection.execute(_RUNNING, told).scalar_one()
        return count < self._rules.per_owner

    def _take(
        self, connection: Connection, claim: Claim, state: State, runner: str, now: float
    ) -> None:
        turn = self._turns.take(connection, claim.session_id, now)
        if turn is None:
            return
        move = Move.CLAIM if state in origins(Move.CLAIM) else Move.TAKE_OVER
        changes = {
            "attempt": claim.attempt,
            "tries": claim.tries,
            "bounces": claim.bounces,
            "runner": runner,
            "lease_until": now + self._rules.lease_s,
            "started_at": now,
            "progress": None,
        }
        turn.move_item(claim.position, move, claim.attempt - 1, changes)
        if turn.state in origins(Move.CLAIM):
            turn.set(started_at=now)
            turn.move(Move.CLAIM)
        if claim.bounces == 0:
            turn.tell(EventKind.ITEM, begun(claim))
        turn.close()

    def _ended(
        self,
        claim: Claim,
        move: Move,
        changes: dict[str, Any],
        told: Mapping[str, Any],
        connection: Connection,
    ) -> bool:
        turn = self._turns.take(connection, claim.session_id, self._clock.now())
        if turn is None:
            return False
        is_told = move is not Move.GIVE_BACK or was_told(connection, claim)
        state = turn.move_item(claim.position, move, claim.attempt, changes)
        if state is None:
            return has_ended_so(connection, claim, move)
        if is_told:
            turn.tell(EventKind.ITEM, {"item": claim.position, "state": state.value, **told})
        turn.settle()
        turn.close()
        return True

    def _over(self, connection: Connection) -> Collection[str]:
        return over(connection, self._due, self._clock.now())

    def _tidy_one(self, session_id: str, connection: Connection) -> None:
        now = self._clock.now()
        turn = self._turns.take(connection, session_id, now)
        if turn is not None:
            end_what_is_over(connection, turn, self._due, now)
            turn.close()


_RUNNING: Final = select(func.count(session_items.c.position)).where(
    session_items.c.owner == bindparam("owner"),
    session_items.c.state == bindparam("state"),
    session_items.c.lease_until > bindparam("now"),
)


def _note(connection: Connection, claim: Claim, **told: Mapping[str, Any]) -> bool:
    noted = update(session_items).where(*is_still(claim)).values(told)
    return connection.execute(noted).rowcount == 1
