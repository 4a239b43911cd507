"""Workers whose requests step together: join between two steps, leave when done or gone.

With TorchServe's continuous batching every call of `handle` is one turn: whoever is new is let in,
the scheduler's choice takes one step, and everybody's frames leave. A request is one generator: it
prepares itself, gives a seat, is resumed when all its steps are taken, perhaps gives another, and
returns its outcome.
"""

import time
from abc import abstractmethod
from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from handlers import memory, telemetry, wire
from handlers.base import ImageHandler, Outcome, as_handler_error
from handlers.engine.costs import StepCosts
from handlers.engine.engine import Engine
from handlers.engine.scheduler import Policy, Scheduler
from handlers.engine.tickets import Kind, Ticket
from handlers.stages import Stages
from handlers.wire import R


class Seat(Protocol):
    """A request among those that step: what it is stepped with, and how far it is."""

    @property
    def bucket(self) -> Hashable:
        """What may step together with it has an equal one."""
        ...

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        ...

    @property
    def progress(self) -> tuple[int, int]:
        """How many steps of its request were taken, of how many."""
        ...

    @property
    def is_sound(self) -> bool:
        """Whether it still holds numbers."""
        ...


S = TypeVar("S", bound=Seat)
Sitting: TypeAlias = Generator[S, None, Outcome]


@dataclass(slots=True)
class _Guest(Generic[R, S]):
    """A request that is with the worker: its stream, and from the turn it began, its seat."""

    stream: wire.Conversation
    stages: Stages
    watch: memory.GpuWatch = field(default_factory=memory.GpuWatch)
    arrived_s: float = field(default_factory=time.perf_counter)
    request: R | None = None
    sitting: Sitting[S] | None = None


class SteppingHandler(ImageHandler[R], Generic[R, S]):
    """A model that takes steps; one request at a time, or, asked continuously, together."""

    step_stage: str
    preview_steps: int

    @abstractmethod
    def sit(self, request: R, stages: Stages) -> Sitting[S]:
        """Prepare, yield seats one after the other, each stepped to its end, return the outcome."""

    @abstractmethod
    def advance(self, states: Sequence[S]) -> None:
        """Take one step of every seat of a bucket; whatever is raised, none has moved."""

    def may_begin(self, request: R) -> bool:
        """Say whether a request could be prepared now without waiting for those who are seated."""
        del request
        return True

    def is_sound(self, state: S) -> bool:
        """Whether a seat still holds numbers."""
        return state.is_sound

    def initialize(self, context: wire.Context) -> None:
        """Load and warm up, knowing whether turns will be asked for."""
        self.is_continuous = wire.continues(context)
        super().initialize(context)

    def handle(self, rows: Sequence[wire.Row], context: wire.Context) -> list[bytes]:
        """Serve a batch to its end, or take one turn of all who are in."""
        return (self._turn if self.is_continuous else super().handle)(rows, context)

    def _turn(self, rows: Sequence[wire.Row], context: wire.Context) -> list[bytes]:
        there = wire.present(rows, context)
        for name in [name for name in self._guests if name not in there]:
            self._let_go(name)  # its caller hung up
        for name, index in there.items():
            if name not in self._guests:
                stream = wire.Conversation(rows[index], context, index)
                self._guests[name] = _Guest(stream, Stages(self.stages, stream.progress))
        self._begin_one()
        self._step()
        guests = [self._guests[name] for name in there]
        answers = wire.answers([guest.stream for guest in guests], context)
        if ended := [name for name in there if self._guests[name].stream.finished]:
            for name in ended:
                self._let_go(name)
            self.settle(len(there))
        return answers

    def _begin_one(self) -> None:
        """Let the first who waits in: preparing takes long, and the others step meanwhile.

        Where what it needs is in use, it waits until they are done, and so does who came later:
        or those would be let in before it for ever.
        """
        guests = self._guests.items()
        waiting = (name for name, one in guests if not (one.sitting or one.stream.finished))
        name = next(waiting, None)
        if name is None or not self._is_read(name):
            return
        guest = self._guests[name]
        if guest.request is not None and self.may_begin(guest.request):
            guest.sitting = self.sit(guest.request, guest.stages)
            self._go_on(name, 1)

    def _is_read(self, name: str) -> bool:
        """Read a request, once; one that cannot be read fails."""
        guest = self._guests[name]
        if guest.request is None:
            try:
                guest.request = guest.stream.request(self.request_type, self.offer)
            except Exception as fault:  # noqa: BLE001  the others go on
                self._fail(name, fault, 1)
                return False
        return True

    def _step(self) -> None:
        together = len(self._engine)
        outcome = self._engine.turn()
        for name in outcome.moved:
            seat = self._engine.state(name) or outcome.done[name]
            self._guests[name].stages.progress(self.step_stage, *seat.progress)
        for name, fault in outcome.failed.items():
            self._fail(name, fault, together)
        for name in outcome.done:
            self._go_on(name, together)

    def _go_on(self, name: str, together: int) -> None:
        """Resume a request: it takes a seat, or is done."""
        guest = self._guests[name]
        with telemetry.request(guest.stream.request_id):
            try:
                went = resumed(guest.sitting)
            except Exception as fault:  # noqa: BLE001  the others go on
                self._fail(name, fault, together)
                return
        if not isinstance(went, Outcome):
            kind = Kind.PREVIEW if went.steps_left <= self.preview_steps else Kind.STANDARD
            # Who asks is not known here: everybody counts as a user of their own.
            ticket = Ticket(name, name, kind, went.bucket, went.steps_left)
            self._engine.enter(ticket, lambda _steps: went)
            return
        told = self.told(went, guest.stages, guest.watch)
        guest.stream.done(went.images, {**told, "batch_size": together})
        self._note(guest, "ok", together)

    def _fail(self, name: str, fault: Exception, together: int) -> None:
        guest = self._guests[name]
        with telemetry.request(guest.stream.request_id):
            error = as_handler_error(fault)
        guest.stream.error(error)
        self._note(guest, error.code, together)

    def _note(self, guest: "_Guest[R, S]", code: str, together: int) -> None:
        spent_ms = (time.perf_counter() - guest.arrived_s) * 1000
        with telemetry.request(guest.stream.request_id):
            self.record(code, together, spent_ms, guest.stages.elapsed_ms, guest.watch)

    def _let_go(self, name: str) -> None:
        guest = self._guests.pop(name)
        self._engine.leave(name)
        if guest.sitting is not None:
            guest.sitting.close()

    def open_seats(self, policy: Policy, costs: StepCosts) -> None:
        """Be ready for turns."""
        self._guests: dict[str, _Guest[R, S]] = {}
        scheduler = Scheduler(policy, costs)
        self._engine: Engine[S] = Engine(scheduler, self, time.perf_counter)

    def run(self, request: R, stages: Stages) -> Outcome:
        """Serve one request by itself."""
        sitting = self.sit(request, stages)
        while not isinstance(went := resumed(sitting), Outcome):
            while went.steps_left:
                self.advance([went])
                stages.progress(self.step_stage, *went.progress)
        return went


def resumed(sitting: Sitting[S] | None) -> S | Outcome:
    """Let a request go on to its next seat, or to what it returns."""
    if sitting is None:
        raise RuntimeError("a request that has not begun cannot go on")
    try:
        return next(sitting)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
