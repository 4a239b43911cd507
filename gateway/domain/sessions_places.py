"""In which order what waits will be begun, as far as is known now, and when it will be done.

Foreseen is what becomes of the queue if nothing new comes, nothing fails or is cancelled, every
item takes as long as its engine's last ones did, and each engine makes as many at a time as now.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections import Counter
from dataclasses import dataclass
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item that may be begun from `due_at` on (Unix seconds)."""

    session_id: str
    owner: str
    engine: str
    due_at: float


@dataclass(frozen=True, slots=True)
class Running:
    """An item that is being made since `started_at` (Unix seconds)."""

    session_id: str
    owner: str
    engine: str
    started_at: float


@dataclass(frozen=True, slots=True)
class Begun:
    """An item that will have been begun, and when it will be done (Unix seconds)."""

    item: Waiting
    ends_at: float


class Foresight:
    """Claims what waits, in thought, as runners do.

    `took_s` are the seconds that an item of each engine takes, 0 where nobody knows. Of one owner
    `per_owner` items run at once. The engine that is asked about makes one at a time at least; of
    another that makes nothing now, nothing is expected.
    """

    def __init__(
        self, running: Sequence[Running], took_s: Mapping[str, float], per_owner: int, now: float
    ) -> None:
        self._took_s = took_s
        self._per_owner = per_owner
        self._now = now
        self._numbers = count()
        self._under_way: list[tuple[float, int, str, str]] = []
        self._room = Counter[str]()
        self._of_owner = Counter[str]()
        for one in sorted(running, key=lambda one: one.started_at):
            self._begin(one.owner, one.engine, max(now, one.started_at + self._took(one.engine)))

    def find(
        self, waiting: Sequence[Waiting], engine: str, session_id: str, items: int
    ) -> tuple[int | None, float | None]:
        """How many of the engine are begun before a session, and when its last item is done.

        `items` of the session wait; None for what is not within sight.
        """
        before, first = 0, None
        for begun in self.claims(waiting, engine):
            if begun.item.session_id == session_id:
                first = before if first is None else first
                items -= 1
                if items == 0:
                    return first, begun.ends_at
            before += begun.item.engine == engine
        return first, None

    def claims(self, waiting: Sequence[Waiting], engine: str) -> Iterator[Begun]:
        """Every item that will be begun, in this order; `waiting` is in the order of claiming."""
        if not any(busy == engine for *_, busy in self._under_way):
            self._room[engine] += 1
        line = [(at, one) for at, one in enumerate(waiting) if one.due_at <= self._now]
        later = [(one.due_at, at, one) for at, one in enumerate(waiting) if one.due_at > self._now]
        heapq.heapify(later)
        while line or later:
            nth = self._next(line)
            if nth is not None:
                yield self._claim(line.pop(nth)[1])
            elif self._under_way and (not later or self._under_way[0][0] <= later[0][0]):
                self._end_one()
            elif later:
                self._now, at, item = heapq.heappop(later)
                insort(line, (at, item), key=itemgetter(0))
            else:
                return

    def _next(self, line: Sequence[tuple[int, Waiting]]) -> int | None:
        if self._room.total() == 0:
            return None
        return next((nth for nth, (_, one) in enumerate(line) if self._may_begin(one)), None)

    def _may_begin(self, item: Waiting) -> bool:
        return self._room[item.engine] > 0 and self._of_owner[item.owner] < self._per_owner

    def _claim(self, item: Waiting) -> Begun:
        self._room[item.engine] -= 1
        ends_at = self._now + self._took(item.engine)
        self._begin(item.owner, item.engine, ends_at)
        return Begun(item, ends_at)

    def _begin(self, owner: str, engine: str, ends_at: float) -> None:
        heapq.heappush(self._under_way, (ends_at, next(self._numbers), owner, engine))
        self._of_owner[owner] += 1

    def _end_one(self) -> None:
        ends_at, _, owner, engine = heapq.heappop(self._under_way)
        self._now = max(self._now, ends_at)
        self._room[engine] += 1
        self._of_owner[owner] -= 1

    def _took(self, engine: str) -> float:
        return self._took_s.get(engine, 0.0)


def done_at(ends_at: Sequence[float], took_s: float, before: int) -> float:
    """When an item is done that begins after so many others of its engine, if nobody is held back.

    `ends_at` are the ends of what its engine makes now, the first one first (Unix seconds).
    """
    rounds, seat = divmod(before, len(ends_at))
    return ends_at[seat] + (rounds + 1) * took_s
