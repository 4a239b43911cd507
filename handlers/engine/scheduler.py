"""Decides which requests take the next step together. No tensor, and no clock of its own.

The shortest remaining goes first, which keeps the mean wait low (Schrage 1968); what has waited
long counts as shorter by and by, so that everybody's turn comes; who has been served much counts as
longer, so that one user's hundred requests do not stand before another's one. That order holds as
far as every promised deadline can still be kept. A request that could not be done in time, or would
make another late, is told so at once, or takes fewer steps where its caller allows that.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from handlers.engine.costs import StepCosts
from handlers.engine.deadlines import Claim, all_kept, room_s
from handlers.engine.tickets import Admitted, Entry, Kind, Place, Refused, Ticket

_ROUNDING: Final = 1e-9  # of a step, which floating point may lose
_NEWS: Final = 0.1  # how much the last step says of how fast the device is now


@dataclass(frozen=True, slots=True)
class Policy:
    """The deployment's choices.

    max_batch: pictures of one step at most. ageing: seconds of remaining work that a second of
    waiting outweighs. fairness: seconds of remaining work that a second served to the same user
    beyond the others' outweighs. weights: by how much the work of a kind counts.
    """

    max_batch: int
    ageing: float
    fairness: float
    weights: dict[Kind, float]


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that step together, the most urgent first."""

    bucket: Hashable
    names: tuple[str, ...]


class Scheduler:
    """All requests that are in, and whose turn it is; every call is told the time, in seconds."""

    def __init__(self, policy: Policy, costs: StepCosts) -> None:
        self._policy = policy
        self._costs = costs
        self._pace = 1.0
        self._entries: dict[str, Entry] = {}
        self._served_s: dict[str, float] = {}

    def __len__(self) -> int:
        """How many requests are in."""
        return len(self._entries)

    def admit(self, ticket: Ticket, now_s: float) -> Admitted | Refused:
        """Let a request in, perhaps with fewer steps, or refuse it with an estimate.

        It counts from now on, and steps when it is `ready`. Raises ValueError for a name that is in
        already.
        """
        if ticket.name in self._entries:
            raise ValueError(f"{ticket.name} is in already")
        step_s = self._step_s(ticket.bucket, 1)
        steps = ticket.steps
        if ticket.deadline_s is not None:
            room = room_s(self._claims(), ticket.deadline_s, now_s)
            steps = min(steps, int(room / step_s + _ROUNDING))
        if steps < min(ticket.steps, ticket.least_steps or ticket.steps):
            return Refused(now_s + self._ahead_s(ticket, now_s) + ticket.steps * step_s)
        self._enter(Entry(ticket, steps, now_s))
        promised_s = math.inf if ticket.deadline_s is None else ticket.deadline_s
        return Admitted(steps, min(self.places(now_s)[ticket.name].done_s, promised_s))

    def ready(self, name: str, rows: int = 1, steps: int = 0) -> None:
        """Let a request step from now on, `rows` pictures at a time, at least `steps` more."""
        entry = self._entries[name]
        entry.rows, entry.left = rows, max(entry.left, steps)

    def hold(self, name: str) -> None:
        """Let a request that is in not step for the time being."""
        self._entries[name].rows = 0

    def next_batch(self, now_s: float) -> Batch | None:
        """Say who steps now: the most urgent who makes nobody late, and who may join it.

        As many join as there are of its bucket, up to the knee.
        """
        order = [entry for entry in self._order(now_s) if entry.rows]
        batches = (batch for first in order for batch in self._batches(first, order))
        safe = (batch for batch in batches if self._keeps_promises(batch, now_s))
        chosen = next(safe, None)
        if chosen is None and order:  # somebody is late already: as little as can be
            chosen = next(self._batches(min(order, key=_deadline_s), order))
        return chosen

    def takes_s(self, batch: Batch) -> float:
        """Estimate the seconds of a batch's step; its requests are in."""
        rows = sum(self._entries[name].rows for name in batch.names)
        return self._step_s(batch.bucket, rows)

    def stepped(self, batch: Batch, took_s: float) -> tuple[str, ...]:
        """Note that a batch took a step; give the names of those that are done, which are out."""
        there = [self._entries[name] for name in batch.names if name in self._entries]
        if not there:
            return ()
        rows = sum(entry.rows for entry in there)
        self._learn(took_s / self._costs.step_s(batch.bucket, rows))
        done = []
        for entry in there:  # the others left while it stepped
            entry.left -= entry.rows
            entry.served_s += took_s
            self._served_s[entry.ticket.user] += took_s * entry.rows / rows
            if entry.left <= 0:
                done.append(entry.ticket.name)
        for name in done:
            self.leave(name)
        return tuple(done)

    def leave(self, name: str) -> None:
        """Let a request out: cancelled, failed or done; one that is not in is no error."""
        entry = self._entries.pop(name, None)
        if entry and all(one.ticket.user != entry.ticket.user for one in self._entries.values()):
            del self._served_s[entry.ticket.user]

    def waiting(self, now_s: float) -> tuple[str, ...]:
        """Name everybody who is in, in the order of their turns."""
        return tuple(entry.ticket.name for entry in self._order(now_s))

    def places(self, now_s: float) -> dict[str, Place]:
        """Say of everybody where they stand, and estimate when they will be done."""
        order = self._order(now_s)
        ends = accumulate(self._work_s(entry) for entry in order)
        batch = self.next_batch(now_s)
        stepping = batch.names if batch else ()
        return {
            entry.ticket.name: Place(0 if entry.ticket.name in stepping else index, now_s + end_s)
            for index, (entry, end_s) in enumerate(zip(order, ends, strict=True))
        }

    def _enter(self, entry: Entry) -> None:
        user = entry.ticket.user
        # A newcomer begins level with the least served: what came before it is nobody's merit.
        self._served_s.setdefault(user, min(self._served_s.values(), default=0.0))
        self._entries[entry.ticket.name] = entry

    def _order(self, now_s: float) -> list[Entry]:
        level_s = min(self._served_s.values(), default=0.0)
        return sorted(
            self._entries.values(),
            key=lambda entry: (self._urgency(entry, now_s, level_s), entry.arrived_s),
        )

    def _urgency(self, entry: Entry, now_s: float, level_s: float) -> float:
        """Seconds of work that count; the least comes first."""
        policy, ticket = self._policy, entry.ticket
        waited_s = now_s - entry.arrived_s - entry.served_s
        ahead_s = self._served_s[ticket.user] - level_s
        counted_s = self._work_s(entry) * policy.weights[ticket.kind]
        return counted_s + policy.fairness * ahead_s - policy.ageing * waited_s

    def _batches(self, first: Entry, order: list[Entry]) -> Iterator[Batch]:
        """Batches that `first` may lead, the largest first."""
        bucket = first.ticket.bucket
        others = [one for one in order if one.ticket.bucket == bucket and one is not first]
        room = self._costs.knee(bucket, self._policy.max_batch) - first.rows
        together = [first.ticket.name]
        for other in others:
            if other.rows <= room:
                together.append(other.ticket.name)
                room -= other.rows
        names = tuple(together)
        return (Batch(bucket, names[:members]) for members in range(len(names), 0, -1))

    def _keeps_promises(self, batch: Batch, now_s: float) -> bool:
        after_s = now_s + self.takes_s(batch)
        return all_kept(self._claims(batch.names), after_s)

    def _claims(self, stepped: Sequence[str] = ()) -> list[Claim]:
        """What is promised, once `stepped` have taken a step."""
        return [
            Claim(self._work_s(entry, entry.rows * (name in stepped)), _deadline_s(entry))
            for name, entry in self._entries.items()
        ]

    def _ahead_s(self, ticket: Ticket, now_s: float) -> float:
        """Seconds of work that would be done before a newcomer's last step."""
        level_s = min(self._served_s.values(), default=0.0)
        extra_s = self._served_s.get(ticket.user, level_s) - level_s
        counted_s = self._work_s(Entry(ticket, ticket.steps, now_s))
        mine = counted_s * self._policy.weights[ticket.kind] + self._policy.fairness * extra_s
        entries = self._entries.values()
        before = (one for one in entries if self._urgency(one, now_s, level_s) <= mine)
        return sum(self._work_s(entry) for entry in before)

    def _work_s(self, entry: Entry, steps_less: int = 0) -> float:
        """Seconds of the device that are left of a request, were it alone."""
        return (entry.left - steps_less) * self._step_s(entry.ticket.bucket, 1)

    def _step_s(self, bucket: Hashable, rows: int) -> float:
        return self._pace * self._costs.step_s(bucket, rows)

    def _learn(self, slower: float) -> None:
        """Note how many times slower than measured a step was: promises go by the present pace."""
        self._pace += _NEWS * (slower - self._pace)


def _deadline_s(entry: Entry) -> float:
    return math.inf if entry.ticket.deadline_s is None else entry.ticket.deadline_s
