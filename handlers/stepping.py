"""Workers whose requests step together: join between two steps, leave when done or gone.

With TorchServe's continuous batching every call of `handle` is one turn: see `turns`. Asked in the
classic way, a worker serves one request after the other.
"""

import sys
import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic

from handlers import memory, wire
from handlers.base import ImageHandler, Outcome
from handlers.engine.costs import StepCosts
from handlers.engine.engine import Engine
from handlers.engine.scheduler import Scheduler
from handlers.seats import S, Sitting, Wish, measured, policy, resumed
from handlers.settings import Stepping
from handlers.stages import Stages
from handlers.turns import Turns
from handlers.wire import R


class SteppingHandler(ImageHandler[R], Generic[R, S]):
    """A model that takes steps; one request at a time, or, asked continuously, together."""

    step_stage: str
    _costs: StepCosts | None = None

    @abstractmethod
    def wish(self, request: R) -> Wish:
        """Say what a request will need; raises HandlerError for one that cannot be served."""

    @abstractmethod
    def lowered(self, request: R, steps: int) -> R:
        """Give the request with fewer steps."""

    @abstractmethod
    def sit(self, request: R, stages: Stages) -> Sitting[S]:
        """Prepare, yield seats one after the other, each stepped to its end, return the outcome.

        No seat has more pictures than `at_once`. What is between two seats runs beside others'
        steps.
        """

    @abstractmethod
    def advance(self, states: Sequence[S]) -> None:
        """Take one step of every seat of a bucket; whatever is raised, none has moved."""

    def may_begin(self, request: R) -> bool:
        """Say whether a request could be prepared now without waiting for those who are seated."""
        del request
        return True

    def are_sound(self, states: Sequence[S]) -> Sequence[bool]:
        """Say of each seat whether it still holds numbers."""
        return [state.is_sound for state in states]

    def recover(self) -> None:
        """Give back what a step held that failed."""
        memory.recover()

    def initialize(self, context: wire.Context) -> None:
        """Load and warm up, knowing whether turns will be asked for."""
        self.is_continuous = wire.continues(context)
        super().initialize(context)

    def at_once(self, request: R) -> int:
        """Give how many pictures of a request may take a step together, at most."""
        if self._costs is None:
            return sys.maxsize
        return self._costs.knee(self.wish(request).bucket, self._told.max_batch)

    def open_seats(self, told: Stepping, sample: R | None) -> None:
        """Be ready for turns; `sample` tells what a step costs, and what all beside it does.

        It asks for one picture in `told.max_batch` steps. None where no request is ever seated.
        """
        self._told, self._costs, around_s = told, StepCosts.alike((1.0,)), 0.0
        if sample is not None:
            started = time.perf_counter()
            self.run(sample, _unheard())
            whole_s = time.perf_counter() - started
            bucket, most = self.wish(sample).bucket, told.max_batch
            self._costs = measured(bucket, lambda: self.sit(sample, _unheard()), self.advance, most)
            around_s = max(0.0, whole_s - most * self._costs.step_s(bucket, 1))
        engine: Engine[S] = Engine(Scheduler(policy(told), self._costs), self, time.perf_counter)
        self.turns: Turns[R, S] = Turns(self, engine, told, around_s)

    def run(self, request: R, stages: Stages) -> Outcome:
        """Serve one request by itself."""
        sitting = self.sit(request, stages)
        while not isinstance(went := resumed(sitting), Outcome):
            self.step_alone(went, stages)
        return went

    def step_alone(self, seat: S, stages: Stages) -> None:
        """Take all steps of a seat, with nobody else."""
        while seat.steps_left:
            self.advance([seat])
            stages.progress(self.step_stage, *seat.progress)

    def handle(self, rows: Sequence[wire.Row], context: wire.Context) -> list[bytes]:
        """Serve a batch to its end, or take one turn of all who are in."""
        return (self.turns.turn if self.is_continuous else super().handle)(rows, context)


def _unheard() -> Stages:
    return Stages((), lambda *_: None)
