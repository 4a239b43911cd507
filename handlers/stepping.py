"""Workers whose requests step together: join between two steps, leave when done or gone.

With TorchServe's continuous batching every call of `handle` is one turn: whoever is new is let in
or refused, the step that is running is waited for, the scheduler's next choice begins, and
everybody's frames leave: TorchServe carries them while the device works. Preparing a request and
developing its pictures go on beside the steps, in a thread of their own.
"""

import sys
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Final, Generic

from handlers import memory, telemetry, wire
from handlers.base import ImageHandler, Outcome, as_handler_error
from handlers.engine.aside import Aside, until_one_is_done
from handlers.engine.costs import StepCosts
from handlers.engine.engine import Engine, Step
from handlers.engine.engine import Outcome as Taken
from handlers.engine.scheduler import Scheduler
from handlers.engine.tickets import Refused
from handlers.errors import TooLate
from handlers.guests import Guest
from handlers.seats import S, Sitting, Wish, measured, policy, resumed
from handlers.settings import Stepping
from handlers.stages import Stages
from handlers.wire import R

_PAUSE_S: Final = 0.02  # between two looks at who is new, while nobody can step


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
        self._told, self._costs, self._around_s = told, StepCosts.alike((1.0,)), 0.0
        if sample is not None:
            started = time.perf_counter()
            self.run(sample, _unheard())
            whole_s = time.perf_counter() - started
            bucket, most = self.wish(sample).bucket, told.max_batch
            self._costs = measured(bucket, lambda: self.sit(sample, _unheard()), self.advance, most)
            self._around_s = max(0.0, whole_s - most * self._costs.step_s(bucket, 1))
        self._guests: dict[str, Guest[R, S]] = {}
        self._aside: Aside[Guest[R, S], S | Outcome] = Aside("aside")
        self._steps: Aside[Step[S], Taken[S]] = Aside("steps")
        scheduler = Scheduler(policy(told), self._costs)
        self._engine: Engine[S] = Engine(scheduler, self, time.perf_counter)

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
        return (self._turn if self.is_continuous else super().handle)(rows, context)

    def _turn(self, rows: Sequence[wire.Row], context: wire.Context) -> list[bytes]:
        there = wire.present(rows, context)
        self._hear(there, rows, context)
        self._prepare()
        self._launch()
        moved = list[Guest[R, S]]()
        if not any(guest.stream.finished for guest in self._guests.values()):
            patience_s = _PAUSE_S if self._steps.is_free else None
            until_one_is_done(self._steps, self._aside, patience_s=patience_s)
            moved = self._land()
            self._prepare()
            self._launch()
        self._tell(moved)
        answers = wire.answers([self._guests[name].stream for name in there], context)
        if ended := [name for name in there if self._guests[name].stream.finished]:
            for name in ended:
                self._let_go(name)
            self.settle(len(there))
        return answers

    def _hear(
        self, there: Mapping[str, int], rows: Sequence[wire.Row], context: wire.Context
    ) -> None:
        """Let go whose caller hung up, and welcome who is new."""
        for name in self._guests.keys() - there.keys():
            self._let_go(name)
        new = [name for name in there if name not in self._guests]
        for name in new:
            self._welcome(name, wire.Conversation(rows[there[name]], context, there[name]))
        if new:
            self._tell([])  # of their places, before their preparing tells anything

    def _welcome(self, name: str, stream: wire.Conversation) -> None:
        """Read a request, and let it in if it can be done in time."""
        guest: Guest[R, S] = Guest(name, stream, Stages(self.stages, stream.progress))
        self._guests[name] = guest
        try:
            if (asked := stream.forgetting()) is not None:
                stream.done((), self.forgotten(asked))
                return
            guest.schedule = stream.schedule()
            guest.request = stream.request(self.request_type, self.offer)
            self._admit(guest, guest.request)
        except Exception as fault:  # noqa: BLE001  the others go on
            self._fail(guest, fault)

    def _admit(self, guest: Guest[R, S], request: R) -> None:
        wish, asked = self.wish(request), guest.schedule
        now_s, low_steps = time.perf_counter(), self.offer.ranges["steps"][0]
        ticket = guest.ticket(wish, self._told.preview_steps, low_steps, now_s - self._around_s)
        answer = self._engine.enter(ticket)
        if isinstance(answer, Refused):
            estimate_s = round(answer.estimate_s + self._around_s - now_s, 1)
            told = {"within_s": asked.within_s, "estimate_s": estimate_s}
            raise TooLate("The answer could not be there in time.", told)
        if answer.steps < wish.steps:
            guest.asked_steps = wish.asked
            guest.request = self.lowered(request, int(answer.steps / wish.share))

    def _prepare(self) -> None:
        """Take what was done beside the steps, and begin the next."""
        done = self._aside.take()
        if done is not None:
            guest, went = done
            guest.is_aside = False
            if guest.name in self._guests:
                self._go_on(guest, went)
        guest_next = self._next() if self._aside.is_free else None
        if guest_next is not None:
            guest_next.waits, guest_next.is_aside = False, True
            self._aside.begin(guest_next, lambda: self._resumed(guest_next))

    def _next(self) -> Guest[R, S] | None:
        """Say who goes on beside the steps: who is done with them, else who is let in next.

        Where what that one needs is in use, it waits until it is not, and so does who comes after
        it: or those would be let in before it for ever.
        """
        waiting = [one for one in self._guests.values() if one.waits and not one.stream.finished]
        done = next((one for one in waiting if one.sitting), None)
        if done is not None or not waiting:
            return done
        names = self._engine.names()
        first = min(waiting, key=lambda one: names.index(one.name))
        if first.request is None or not self.may_begin(first.request):
            return None
        first.sitting = self.sit(first.request, first.stages)
        return first

    def _resumed(self, guest: Guest[R, S]) -> S | Outcome:
        with telemetry.request(guest.stream.request_id):
            return guest.resume()

    def _go_on(self, guest: Guest[R, S], resuming: Future[S | Outcome]) -> None:
        """Give a request its seat, or its caller the outcome."""
        try:
            went = resuming.result()
            if not isinstance(went, Outcome):
                self._engine.seat(guest.name, went, went.rows, went.steps_left * went.rows)
                return
        except Exception as fault:  # noqa: BLE001  the others go on
            self._fail(guest, fault)
            return
        self._engine.leave(guest.name)
        told = self.told(went, guest.stages, guest.watch) | {"batch_size": guest.together}
        if guest.asked_steps is not None:
            told["steps_asked"] = guest.asked_steps
        guest.stream.done(went.images, told)
        self._note(guest, "ok")

    def _launch(self) -> None:
        """Begin the next step, where none is running."""
        step = self._engine.choose() if self._steps.is_free else None
        if step is not None:
            self._steps.begin(step, lambda: self._engine.take(step))

    def _land(self) -> list[Guest[R, S]]:
        """Take what the step gave that was running; give those who moved."""
        done = self._steps.take()
        if done is None:
            return []
        step, taking = done
        outcome = self._engine.noted(step, taking.result())
        together = sum(seat.rows for seat in step.states.values())
        moved = list[Guest[R, S]]()
        for name in outcome.moved:
            guest, seat = self._guests[name], step.states[name]
            guest.together = together
            if not seat.steps_left:
                self._engine.unseat(name)
                guest.waits = True
            try:
                guest.look(seat)
            except Exception as fault:  # noqa: BLE001  of its preview; the others go on
                self._fail(guest, fault)
            else:
                moved.append(guest)
        for name, broken in outcome.failed.items():
            self._fail(self._guests[name], broken)
        return moved

    def _tell(self, moved: Sequence[Guest[R, S]]) -> None:
        """Tell who moved of their step, and the others of their place."""
        places = self._engine.places()
        for guest in moved:
            place = places.pop(guest.name, None)
            try:
                guest.tell_step(self.step_stage, place, self._told.preview_jpeg_quality)
            except Exception as fault:  # noqa: BLE001  of its preview; the others go on
                self._fail(guest, fault)
        for name in places.keys() & self._guests.keys():
            self._guests[name].tell_place(places[name], len(places))

    def _fail(self, guest: Guest[R, S], fault: Exception) -> None:
        self._engine.leave(guest.name)
        with telemetry.request(guest.stream.request_id):
            error = as_handler_error(fault)
        guest.stream.error(error)
        self._note(guest, error.code)

    def _note(self, guest: Guest[R, S], code: str) -> None:
        spent_ms = (time.perf_counter() - guest.arrived_s) * 1000
        with telemetry.request(guest.stream.request_id):
            self.record(code, guest.together, spent_ms, guest.stages.elapsed_ms, guest.watch)

    def _let_go(self, name: str) -> None:
        guest = self._guests.pop(name)
        self._engine.leave(name)
        stepping = self._steps.whose
        if guest.is_aside:
            self._aside.then(guest.close)
        elif stepping is not None and name in stepping.states:
            self._steps.then(guest.close)
        else:
            guest.close()


def _unheard() -> Stages:
    return Stages((), lambda *_: None)
