"""A request that is with a stepping worker, and what its caller hears of it meanwhile."""

import time
from dataclasses import dataclass, field
from typing import Any, Final, Generic

from handlers import images, memory, wire
from handlers.base import Outcome
from handlers.engine.tickets import Place
from handlers.schedule import Schedule
from handlers.seats import S, Sitting, resumed
from handlers.settings import Encoding
from handlers.stages import Stages
from handlers.wire import R

_QUEUE: Final = "queue"


@dataclass(slots=True, eq=False)
class Guest(Generic[R, S]):
    """One request, from its arrival to its last frame.

    waits: to be prepared, or to be developed; is_aside: that is being done; asked_steps: where it
    takes fewer than it asked for; together: pictures of its last step, others' included.
    """

    name: str
    stream: wire.Conversation
    stages: Stages
    request: R | None = None
    schedule: Schedule = field(default_factory=Schedule)
    sitting: Sitting[S] | None = None
    waits: bool = True
    is_aside: bool = False
    asked_steps: int | None = None
    together: int = 1
    position: int | None = None
    watch: memory.GpuWatch = field(default_factory=memory.GpuWatch)
    arrived_s: float = field(default_factory=time.perf_counter)

    def resume(self) -> S | Outcome:
        """Go on to the next seat, or to the outcome."""
        if self.sitting is None:
            raise RuntimeError("a request that has not begun cannot go on")
        return resumed(self.sitting)

    def close(self) -> None:
        """Let go of whatever was prepared."""
        if self.sitting is not None:
            self.sitting.close()

    def tell_step(self, stage: str, seat: S, place: Place | None, jpeg_quality: int) -> None:
        """Tell of a step that was taken, and show how it looks where that was wished."""
        step, of = seat.progress
        self.position = None if place is None else place.position
        self.stream.progress(stage, step, of, **_told(place))
        every = self.schedule.preview_every
        if every is not None and step % every == 0 and step < of:
            quality = Encoding(jpeg_quality, jpeg_quality, 0)
            self.stream.preview(images.encode(seat.preview(), "jpeg", quality))

    def tell_place(self, place: Place, requests: int) -> None:
        """Tell where it stands among so many, if that has changed."""
        if place.position != self.position:
            self.position = place.position
            self.stream.progress(_QUEUE, 0, requests, **_told(place))


def _told(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {}
    estimate_s = round(max(0.0, place.done_s - time.perf_counter()), 2)
    return {"queue_position": place.position, "estimate_s": estimate_s}
