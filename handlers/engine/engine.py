"""Steps whoever is in, as the scheduler says; nobody's fault becomes another's.

A step that fails is taken again by halves, down to the one that breaks it: that request fails, its
batch mates have lost nothing but time. The engine has no tensor either; a denoiser has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from handlers.engine.scheduler import Batch, Scheduler
from handlers.engine.tickets import Admitted, Place, Refused, Ticket

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class Broken(Exception):
    """A request's numbers are none any more."""


class Denoiser(Protocol[S_contra]):
    """What takes steps; states are its own."""

    def advance(self, states: Sequence[S_contra]) -> None:
        """Take one step of every state; whatever is raised, no state has moved."""
        ...

    def are_sound(self, states: Sequence[S_contra]) -> Sequence[bool]:
        """Say of each state whether it still holds numbers."""
        ...

    def recover(self) -> None:
        """Give back what a step held that failed, before it is taken again."""
        ...


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """A step that was chosen, the states that take it, and when it should end."""

    batch: Batch
    states: Mapping[str, S]
    ends_s: float


@dataclass(slots=True)
class Outcome(Generic[S]):
    """What one step gave: who moved, who is done, who failed of what; and how long it took."""

    moved: list[str] = field(default_factory=list)
    done: dict[str, S] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    took_s: float = 0.0


class Engine(Generic[S]):
    """Requests in flight; every turn is one step of some of those that are seated.

    `clock` gives seconds that only grow. Calls come one at a time, but for `take`, which may run
    beside others: requests come and go meanwhile.
    """

    def __init__(
        self, scheduler: Scheduler, denoiser: Denoiser[S], clock: Callable[[], float]
    ) -> None:
        self._scheduler = scheduler
        self._denoiser = denoiser
        self._clock = clock
        self._states: dict[str, S] = {}

    def __len__(self) -> int:
        """How many requests can step."""
        return len(self._states)

    def enter(self, ticket: Ticket) -> Admitted | Refused:
        """Let a request in if its deadline can be kept; it waits until it is seated."""
        return self._scheduler.admit(ticket, self._clock())

    def seat(self, name: str, state: S, rows: int = 1, steps: int = 0) -> None:
        """Let a request that is in step from now on: `rows` pictures, `steps` or more to come.

        Where the steps it asked for are taken already, it is in no longer: raises KeyError.
        """
        self._scheduler.ready(name, rows, steps)
        self._states[name] = state

    def unseat(self, name: str) -> None:
        """Let a request not step for the time being."""
        if self._states.pop(name, None) is not None:
            self._scheduler.hold(name)

    def leave(self, name: str) -> None:
        """Let a request go, wherever it stands; one that is not in is no error."""
        self._scheduler.leave(name)
        self._states.pop(name, None)

    def state(self, name: str) -> S | None:
        """Give the state of who is seated, None for others."""
        return self._states.get(name)

    def names(self) -> tuple[str, ...]:
        """Name everybody who is in, in the order of their turns."""
        return self._scheduler.waiting(self._clock())

    def places(self) -> dict[str, Place]:
        """Say of everybody who is in where they stand; times are the clock's."""
        return self._scheduler.places(self._clock())

    def turn(self) -> Outcome[S]:
        """Take the next step; with nobody seated, nothing happens."""
        step = self.choose()
        return Outcome() if step is None else self.noted(step, self.take(step))

    def choose(self) -> Step[S] | None:
        """Say who takes the next step; with nobody seated, None."""
        now_s = self._clock()
        batch = self._scheduler.next_batch(now_s)
        if batch is None:
            return None
        states = {name: self._states[name] for name in batch.names}
        return Step(batch, states, now_s + self._scheduler.takes_s(batch))

    def take(self, step: Step[S]) -> Outcome[S]:
        """Take a step; what it gave is for `noted`."""
        outcome: Outcome[S] = Outcome()
        began_s = self._clock()
        self._advance(step.batch.names, step.states, outcome)
        outcome.took_s = self._clock() - began_s
        return outcome

    def noted(self, step: Step[S], outcome: Outcome[S]) -> Outcome[S]:
        """Note what a step gave; who left meanwhile is none of it."""
        gone = step.states.keys() - self._states.keys()
        outcome.moved = [name for name in outcome.moved if name not in gone]
        outcome.failed = {name: one for name, one in outcome.failed.items() if name not in gone}
        for name in outcome.failed:
            self.leave(name)
        for name in self._scheduler.stepped(step.batch, outcome.took_s):
            outcome.done[name] = self._states.pop(name)
        return outcome

    def _advance(self, names: Sequence[str], of: Mapping[str, S], outcome: Outcome[S]) -> None:
        states = [of[name] for name in names]
        try:
            self._denoiser.advance(states)
        except Exception as fault:  # noqa: BLE001  it is somebody's, and the others go on
            if len(names) == 1:
                outcome.failed[names[0]] = fault
                return
        else:
            self._look(names, states, outcome)
            return
        self._denoiser.recover()  # here, where the error no longer holds what it ran out with
        middle = len(names) // 2
        self._advance(names[:middle], of, outcome)
        self._advance(names[middle:], of, outcome)

    def _look(self, names: Sequence[str], states: Sequence[S], outcome: Outcome[S]) -> None:
        for name, is_sound in zip(names, self._denoiser.are_sound(states), strict=True):
            if is_sound:
                outcome.moved.append(name)
            else:
                outcome.failed[name] = Broken("the result is not a number any more")
