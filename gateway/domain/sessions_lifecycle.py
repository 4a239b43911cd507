"""The states of a session and of its items, and every move between them; no other is possible."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class State(StrEnum):
    """Where a session or an item of it stands."""

    CREATED = "created"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Move(StrEnum):
    """What can happen to one."""

    CLAIM = "claim"
    TAKE_OVER = "take_over"
    GIVE_BACK = "give_back"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    EXPIRE = "expire"


OPEN: Final = frozenset({State.CREATED, State.PROCESSING})
ENDED: Final = frozenset(State) - OPEN

_EACH_FROM: Final[Mapping[Move, tuple[Collection[State], State]]] = {
    Move.CLAIM: ({State.CREATED}, State.PROCESSING),
    Move.TAKE_OVER: ({State.PROCESSING}, State.PROCESSING),
    Move.GIVE_BACK: ({State.PROCESSING}, State.CREATED),
    Move.COMPLETE: ({State.PROCESSING}, State.COMPLETED),
    Move.FAIL: ({State.PROCESSING}, State.FAILED),
    Move.CANCEL: (OPEN, State.CANCELLED),
    Move.EXPIRE: (OPEN, State.EXPIRED),
}
TRANSITIONS: Final[Mapping[tuple[State, Move], State]] = MappingProxyType(
    {(origin, move): target for move, (origins, target) in _EACH_FROM.items() for origin in origins}
)
"""Every legal transition; what is not here does not happen. A session as a whole is never given
back: once begun it stays `processing` to its end, whatever its items do."""


class IllegalMove(ValueError):
    """A move that its table does not know; a fault of ours."""


def after(state: State, move: Move) -> State:
    """The state that a move leads to; raises IllegalMove."""
    target = TRANSITIONS.get((state, move))
    if target is None:
        raise IllegalMove(f"{move} of what is {state}")
    return target


def origins(move: Move) -> frozenset[State]:
    """The states a move may start from: the guard of every write that makes it."""
    return frozenset(state for state, known in TRANSITIONS if known is move)


def ending(states: Iterable[State]) -> Move | None:
    """How a session ends whose items stand so; None while one of them is open.

    One result makes it a success: which items failed, and why, they say themselves.
    """
    seen = frozenset(states)
    if seen & OPEN:
        return None
    if State.COMPLETED in seen:
        return Move.COMPLETE
    if State.FAILED in seen:
        return Move.FAIL
    return Move.CANCEL if State.CANCELLED in seen else Move.EXPIRE
