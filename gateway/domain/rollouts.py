"""A rollout: what was asked, where it is, how it came there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.domain.versions import Archive, Reason


class RolloutState(StrEnum):
    """Where a rollout is, in this order; the last three are ends."""

    REGISTERING = "registering"
    WARMING = "warming"
    CANARY = "canary"
    SHIFTING = "shifting"
    DRAINING = "draining"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


ENDS: Final = frozenset({RolloutState.DONE, RolloutState.FAILED, RolloutState.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked: an archive, and which share (0..1) of the requests tries it, how long."""

    archive: Archive
    share: float = 0.0
    canary_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a Unix time."""

    state: RolloutState
    at_s: float
    message: str


@dataclass(slots=True)
class Rollout:
    """One rollout, as far as it has come.

    `previous` are the versions it takes the place of, the default first; they are there until it
    is done. `reason` says why it did not go through, or what was left undone.
    """

    rollout_id: str
    wish: Wish
    previous: tuple[str, ...]
    state: RolloutState = RolloutState.REGISTERING
    history: list[Event] = field(default_factory=list)
    reason: Reason | None = None

    @property
    def model(self) -> str:
        """The model."""
        return self.wish.archive.model

    @property
    def version(self) -> str:
        """The version that is to serve it."""
        return self.wish.archive.version

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDS

    def tell(self, at_s: float, message: str, state: RolloutState | None = None) -> None:
        """Write down what happened, in a new state where one is given."""
        self.state = state or self.state
        self.history.append(Event(self.state, at_s, message))
