"""What must become of sessions whatever happens to them: the whole of it, in a few dictionaries.

It knows nothing of transactions, of indexes or of how a database is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.adapters.sql.queue import QueueRules
from gateway.domain.sessions import Claim, Draft, RepeatKey
from gateway.domain.sessions_lifecycle import ENDED, OPEN, Move, State, after, ending
from gateway.domain.sessions_queue import rank


@dataclass
class Item:
    """One item: where it stands, and whose it is until when."""

    rank: float
    not_before: float
    state: State = State.CREATED
    attempt: int = 0
    tries: int = 0
    lease_until: float = 0.0


@dataclass
class Known:
    """One session."""

    draft: Draft
    items: list[Item]
    state: State = State.CREATED
    is_forgotten: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def is_shown(self, now: float) -> bool:
        """Whether its owner still has it."""
        return not self.is_forgotten and self.draft.expires_at > now

    def is_over(self, now: float) -> bool:
        """Whether its time, or what its owner gave it, has come."""
        cancel_at = self.draft.cancel_at
        return self.draft.expires_at <= now or (cancel_at is not None and cancel_at <= now)

    def end(self, move: Move) -> None:
        """Take every open item along."""
        self.state = after(self.state, move)
        for item in self.items:
            if item.state in OPEN:
                item.state = after(item.state, move)

    def settle(self) -> None:
        move = ending(item.state for item in self.items)
        if move is not None and self.is_open:
            self.state = after(self.state, move)


@dataclass
class Model:
    """All sessions that there are, the keys that are remembered, and what was erased, of whom."""

    rules: QueueRules
    known: dict[str, Known] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[str, RepeatKey]] = field(default_factory=dict)
    erased: dict[str, str] = field(default_factory=dict)

    def earlier(self, owner: str, key: str, now: float) -> tuple[str, RepeatKey] | None:
        """The session that a key stands for, as long as its owner has both."""
        session_id, repeat = self.keys.get((owner, key), (None, None))
        known = self.known.get(session_id or "")
        if session_id is None or repeat is None or known is None:
            return None
        return (session_id, repeat) if known.is_shown(now) and repeat.expires_at > now else None

    def create(self, draft: Draft, repeat: RepeatKey) -> None:
        places = [rank(draft.kind, draft.created_at, place) for place in range(len(draft.asks))]
        items = [Item(place, draft.created_at) for place in places]
        self.known[draft.session_id] = Known(draft, items)
        self.keys[draft.owner, repeat.key] = (draft.session_id, repeat)

    def next(self, now: float) -> set[tuple[str, int]]:
        """Which item is to be claimed; several, where it is all the same."""
        due = [
            (item.rank, (session_id, position))
            for session_id, known in self.known.items()
            if known.is_open and known.is_shown(now) and not known.is_over(now)
            for position, item in enumerate(known.items)
            if self._is_due(item, now)
            and self._running(known.draft.owner, now) < self.rules.per_owner
        ]
        first = min(due, default=(0.0, None))[0]
        return {name for place, name in due if place == first}

    def claim(self, claim: Claim, now: float) -> None:
        known = self.known[claim.session_id]
        item = known.items[claim.position]
        item.state = known.state = State.PROCESSING
        item.attempt, item.tries = item.attempt + 1, item.tries + 1
        item.lease_until = now + self.rules.lease_s

    def held(self, claim: Claim) -> Item | None:
        """The item, if it is still being made in the attempt that was claimed."""
        item = self._of(claim)
        return item if item is not None and item.state is State.PROCESSING else None

    def end(self, claim: Claim, move: Move) -> bool:
        """Make a move of a runner; whether he is told that the item was his."""
        item, state = self._of(claim), after(State.PROCESSING, move)
        if item is None or item.state is not State.PROCESSING:
            return item is not None and item.state is state  # he said so before
        item.state = state
        self.known[claim.session_id].settle()
        return True

    def tidy(self, now: float) -> set[str]:
        """End what is over, and what nobody survived; of which sessions."""
        touched = set()
        for session_id, known in self.known.items():
            lost = [item for item in known.items if self._is_given_up(item, now)]
            if known.is_open and known.is_over(now):
                begun = known.state is State.PROCESSING and known.draft.expires_at > now
                known.end(Move.CANCEL if begun else Move.EXPIRE)
                touched.add(session_id)
            elif lost:
                for item in lost:
                    item.state = State.FAILED
                known.settle()
                touched.add(session_id)
        return touched

    def to_erase(self, now: float) -> set[str]:
        return {name for name, known in self.known.items() if not known.is_shown(now)}

    def erase(self, session_id: str) -> None:
        self.erased[session_id] = self.known.pop(session_id).draft.owner
        self.keys = {key: kept for key, kept in self.keys.items() if kept[0] != session_id}

    def clear_keys(self, now: float) -> int:
        """Drop the keys whose time is over; how many."""
        over = [key for key, (_, repeat) in self.keys.items() if repeat.expires_at <= now]
        for key in over:
            del self.keys[key]
        return len(over)

    def _of(self, claim: Claim) -> Item | None:
        known = self.known.get(claim.session_id)
        item = None if known is None else known.items[claim.position]
        return item if item is not None and item.attempt == claim.attempt else None

    def _is_due(self, item: Item, now: float) -> bool:
        if item.state is State.CREATED:
            return item.not_before <= now
        return self._is_lost(item, now) and item.tries < self.rules.max_tries

    def _is_given_up(self, item: Item, now: float) -> bool:
        return self._is_lost(item, now) and item.tries >= self.rules.max_tries

    @staticmethod
    def _is_lost(item: Item, now: float) -> bool:
        return item.state is State.PROCESSING and item.lease_until <= now

    def _running(self, owner: str, now: float) -> int:
        return sum(item.lease_until > now for item in self._made(owner))

    def _made(self, owner: str) -> Iterator[Item]:
        for known in self.known.values():
            if known.draft.owner == owner:
                yield from (item for item in known.items if item.state is State.PROCESSING)


def has_ended_once(told: Sequence[State | None], state: State) -> bool:
    """Whether what was told of a session ends once, with where it stands, or not yet."""
    ends = [one for one in told if one in ENDED]
    return ends == ([state] if state in ENDED else [])
