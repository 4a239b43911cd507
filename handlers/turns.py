"""Continuous batching: requests come and go between TorchServe's calls while the device works.

Two threads do the work: one takes step after step, the other prepares requests and develops their
pictures. A call of the worker, a turn, only hears who is new or gone, waits until there is
something to tell, and tells it. A step does not wait for TorchServe, and a turn that would end with
the step ends a little before it, so that whoever comes meanwhile can take part in the next.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from handlers import telemetry, wire
from handlers.base import Outcome, as_handler_error
from handlers.engine.engine import Engine, Step
from handlers.engine.engine import Outcome as Taken
from handlers.engine.loop import Loop
from handlers.engine.tickets import Place, Refused
from handlers.errors import TooLate
from handlers.forgetting import ForgetRequest
from handlers.guests import Guest
from handlers.memory import GpuWatch
from handlers.seats import S, Seat, Sitting, Wish
from handlers.settings import Offer, Stepping
from handlers.stages import Stages
from handlers.wire import R

_PAUSE_S: Final = 0.02  # between two turns while nothing steps …
_LONG_S: Final = 0.25  # … and while a step takes long
_NEWS: Final = 0.2  # how much the last round trip says of the next
_HASTE_S: Final = 0.0015  # what hearing somebody and seating them takes, at least


S_co = TypeVar("S_co", bound=Seat, covariant=True)


class Host(Protocol[R, S_co]):
    """The handler whose requests they are."""

    request_type: type[R]
    offer: Offer
    stages: ClassVar[tuple[str, ...]]
    step_stage: str

    def wish(self, request: R) -> Wish: ...  # noqa: D102  as SteppingHandler says
    def lowered(self, request: R, steps: int) -> R: ...  # noqa: D102
    def may_begin(self, request: R) -> bool: ...  # noqa: D102
    def sit(self, request: R, stages: Stages) -> Sitting[S_co]: ...  # noqa: D102
    def forgotten(self, asked: ForgetRequest) -> dict[str, Any]: ...  # noqa: D102
    def told(self, outcome: Outcome, stages: Stages, watch: GpuWatch) -> dict[str, Any]: ...  # noqa: D102
    def settle(self, batch_size: int) -> None: ...  # noqa: D102
    def record(  # noqa: D102
        self,
        code: str,
        batch_size: int,
        duration_ms: float,
        stage_ms: Mapping[str, float],
        watch: GpuWatch,
    ) -> None: ...


class Turns(Generic[R, S]):
    """All requests that are with the worker; `around_s` is what one takes beside its steps."""

    def __init__(
        self, host: Host[R, S], engine: Engine[S], told: Stepping, around_s: float
    ) -> None:
        self._host, self._told, self._around_s = host, told, around_s
        self.lock = threading.RLock()
        self.engine = engine
        self.guests: dict[str, Guest[R, S]] = {}
        self.steps = Loop[Step[S], Taken[S]](self.lock, engine.choose, engine.take, self._landed)
        self.aside = Loop[Guest[R, S], S | Outcome | Exception](
            self.lock, self._next, _resumed, self._went
        )
        self._news = threading.Event()
        self._trip_s = self._returned_s = 0.0
        self.steps.start("steps")
        self.aside.start("aside")

    def turn(self, rows: Sequence[wire.Row], context: wire.Context) -> list[bytes]:
        """Hear who is there, wait for something to tell, and give everybody's frames."""
        there = wire.present(rows, context)
        self._note_trip()
        with self.lock:
            self._hear(there, rows, context)
            self.aside.wake()
            patience_s = self._patience_s()
        self._news.wait(patience_s)
        self._news.clear()
        with self.lock:
            self._tell()
            answers = wire.answers([self.guests[name].stream for name in there], context)
            ended = [name for name in there if self.guests[name].stream.finished]
            for name in ended:
                self._let_go(name)
        if ended:
            self._host.settle(len(there))
        self._returned_s = time.perf_counter() if self.guests else 0.0
        return answers

    def _note_trip(self) -> None:
        """Learn how long TorchServe takes from one turn to the next."""
        if self._returned_s:
            trip_s = min(time.perf_counter() - self._returned_s, _PAUSE_S)
            self._trip_s += _NEWS * (trip_s - self._trip_s)
        for loop in (self.steps, self.aside):
            if loop.fault is not None:
                raise RuntimeError("the engine has stopped") from loop.fault

    def _patience_s(self) -> float:
        """Say how long to wait for something to tell; not at all where there is, or nobody is."""
        if not self.guests or any(guest.stream.finished for guest in self.guests.values()):
            return 0.0
        if self.steps.current is None:
            return _PAUSE_S
        left_s = self.steps.current.ends_s - time.perf_counter()
        early_s = left_s - 2 * self._trip_s - _HASTE_S
        return min(early_s if early_s > 0 else _LONG_S, _LONG_S)

    def _hear(
        self, there: Mapping[str, int], rows: Sequence[wire.Row], context: wire.Context
    ) -> None:
        """Let go whose caller hung up, and welcome who is new."""
        for name in self.guests.keys() - there.keys():
            self._let_go(name)
        new = [name for name in there if name not in self.guests]
        for name in new:
            self._welcome(name, wire.Conversation(rows[there[name]], context, there[name]))
        if new:
            self._tell_places()  # before their preparing tells anything

    def _welcome(self, name: str, stream: wire.Conversation) -> None:
        """Read a request, and let it in if it can be done in time."""
        guest: Guest[R, S] = Guest(name, stream, Stages(self._host.stages, stream.progress))
        self.guests[name] = guest
        try:
            if (asked := stream.forgetting()) is not None:
                stream.done((), self._host.forgotten(asked))
                return
            guest.schedule = stream.schedule()
            guest.request = stream.request(self._host.request_type, self._host.offer)
            self._admit(guest, guest.request)
        except Exception as fault:  # noqa: BLE001  the others go on
            self._fail(guest, fault)

    def _admit(self, guest: Guest[R, S], request: R) -> None:
        wish, asked = self._host.wish(request), guest.schedule
        now_s, low_steps = time.perf_counter(), self._host.offer.ranges["steps"][0]
        ticket = guest.ticket(wish, self._told, low_steps, now_s - self._around_s)
        answer = self.engine.enter(ticket)
        if isinstance(answer, Refused):
            estimate_s = round(answer.estimate_s + self._around_s - now_s, 1)
            told = {"within_s": asked.within_s, "estimate_s": estimate_s}
            raise TooLate("The answer could not be there in time.", told)
        if answer.steps < wish.steps:
            guest.asked_steps = wish.asked
            guest.request = self._host.lowered(request, int(answer.steps / wish.share))

    def _next(self) -> Guest[R, S] | None:
        """Say who goes on beside the steps: who is done with them, else who is prepared next.

        That is the first to take steps; who stands too far behind would only hold memory. Where
        what the first one needs is in use, it waits until it is not, and so does who comes after
        it: or those would be let in before it for ever.
        """
        waiting = [one for one in self.guests.values() if one.waits and not one.stream.finished]
        chosen = next((one for one in waiting if one.sitting), None)
        if chosen is None and waiting:
            near = self.engine.names()[: self._told.prepared]
            first = next((self.guests[name] for name in near if self.guests[name].waits), None)
            if first is not None and first.request and self._host.may_begin(first.request):
                first.sitting = self._host.sit(first.request, first.stages)
                chosen = first
        if chosen is not None:
            chosen.waits = False
        return chosen

    def _went(self, guest: Guest[R, S], went: S | Outcome | Exception) -> None:
        """Give a request its seat, or its caller the outcome."""
        if guest.name not in self.guests:
            guest.close()  # its caller hung up meanwhile
        elif isinstance(went, Exception):
            self._fail(guest, went)
        elif isinstance(went, Outcome):
            self._done(guest, went)
        else:
            self.engine.seat(guest.name, went, went.rows, went.steps_left * went.rows)
            self.steps.wake()

    def _done(self, guest: Guest[R, S], outcome: Outcome) -> None:
        self.engine.leave(guest.name)
        told = self._host.told(outcome, guest.stages, guest.watch) | {"batch_size": guest.together}
        if guest.asked_steps is not None:
            told["steps_asked"] = guest.asked_steps
        guest.stream.done(outcome.images, told)
        self._note(guest, "ok")
        self._news.set()

    def _landed(self, step: Step[S], outcome: Taken[S]) -> None:
        """Look at who took a step, before they take another; who is done with them goes on."""
        self.engine.noted(step, outcome)
        together = sum(seat.rows for seat in step.states.values())
        for name in outcome.moved:
            guest, seat = self.guests[name], step.states[name]
            guest.together = together
            if not seat.steps_left:
                self.engine.unseat(name)
                guest.waits = True
                self.aside.wake()
            try:
                guest.look(seat)
            except Exception as fault:  # noqa: BLE001  of its preview; the others go on
                self._fail(guest, fault)
        for name, broken in outcome.failed.items():
            self._fail(self.guests[name], broken)
        self._news.set()

    def _tell(self) -> None:
        """Tell who moved of their steps, and the others of their place."""
        places = self.engine.places()
        for guest in self.guests.values():
            if guest.seen and not guest.stream.finished:
                try:
                    guest.tell_steps(
                        self._host.step_stage,
                        places.pop(guest.name, None),
                        self._told.preview_jpeg_quality,
                    )
                except Exception as fault:  # noqa: BLE001  of its preview; the others go on
                    self._fail(guest, fault)
        self._tell_places(places)

    def _tell_places(self, places: Mapping[str, Place] | None = None) -> None:
        """Tell everybody who has not moved where they stand, if that has changed."""
        told = self.engine.places() if places is None else places
        for name in told.keys() & self.guests.keys():
            self.guests[name].tell_place(told[name], len(told))

    def _fail(self, guest: Guest[R, S], fault: Exception) -> None:
        self.engine.leave(guest.name)
        with telemetry.request(guest.stream.request_id):
            error = as_handler_error(fault)
        guest.stream.error(error)
        self._note(guest, error.code)
        self._news.set()

    def _note(self, guest: Guest[R, S], code: str) -> None:
        spent_ms = (time.perf_counter() - guest.arrived_s) * 1000
        with telemetry.request(guest.stream.request_id):
            elapsed_ms = guest.stages.elapsed_ms
            self._host.record(code, guest.together, spent_ms, elapsed_ms, guest.watch)

    def _let_go(self, name: str) -> None:
        guest = self.guests.pop(name)
        self.engine.leave(name)
        step = self.steps.current
        if guest is self.aside.current:
            return  # closed when that is done
        if step is not None and name in step.states:
            self.steps.then(guest.close)
        else:
            guest.close()


def _resumed(guest: Guest[R, S]) -> S | Outcome | Exception:
    with telemetry.request(guest.stream.request_id):
        try:
            return guest.resume()
        except Exception as fault:  # noqa: BLE001  noted as the request's own
            return fault
