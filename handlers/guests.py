"""A request that is with a stepping worker, and what its caller hears of it meanwhile."""

import math
import time
from dataclasses import dataclass, field
from typing import Any, Final, Generic

import numpy as np
from numpy.typing import NDArray

from handlers import images, memory, wire
from handlers.base import Outcome
from handlers.engine.tickets import Kind, Place, Ticket
from handlers.schedule import Schedule
from handlers.seats import S, Sitting, Wish, resumed
from handlers.settings import Encoding, Stepping
from handlers.stages import Stages
from handlers.wire import R

_QUEUE: Final = "queue"


@dataclass(slots=True, eq=False)
class Guest(Generic[R, S]):
    """One request, from its arrival to its last frame.

    waits: to be prepared, or to be developed; asked_steps: where it takes fewer than it asked for;
    together: pictures of its last step, others' included; seen: after every step that is not told
    yet, how far it was, of how many, and how it looked.
    """

    name: str
    stream: wire.Conversation
    stages: Stages
    request: R | None = None
    schedule: Schedule = field(default_factory=Schedule)
    sitting: Sitting[S] | None = None
    waits: bool = True
    asked_steps: int | None = None
    together: int = 1
    position: int | None = None
    seen: list[tuple[int, int, NDArray[np.uint8] | None]] = field(default_factory=list)
    watch: memory.GpuWatch = field(default_factory=memory.GpuWatch)
    arrived_s: float = field(default_factory=time.perf_counter)

    def ticket(self, wish: Wish, told: Stepping, low_steps: float, from_s: float) -> Ticket:
        """Say what is asked for and until when, counted from `from_s` on.

        Nobody is served in fewer than `low_steps`.
        """
        asked = self.schedule
        kind = Kind.PREVIEW if wish.steps <= told.preview_steps else Kind.STANDARD
        within_s, least = asked.within_s, asked.least_steps
        return Ticket(
            self.name,
            asked.user or self.name,
            asked.kind or wish.kind or kind,
            wish.bucket,
            wish.steps,
            None if within_s is None else from_s + within_s * (1 - told.reserve),
            None if least is None else math.ceil(max(low_steps, least) * wish.share),
        )

    def resume(self) -> S | Outcome:
        """Go on to the next seat, or to the outcome."""
        if self.sitting is None:
            raise RuntimeError("a request that has not begun cannot go on")
        return resumed(self.sitting)

    def close(self) -> None:
        """Let go of whatever was prepared."""
        if self.sitting is not None:
            self.sitting.close()

    def look(self, seat: S) -> None:
        """See how far its seat is, and how it looks where that was wished; no step may be running.

        What was seen is told by `tell_steps`.
        """
        step, of = seat.progress
        every = self.schedule.preview_every
        is_wished = every is not None and step % every == 0 and step < of
        self.seen.append((step, of, seat.preview() if is_wished else None))

    def tell_steps(self, stage: str, place: Place | None, jpeg_quality: int) -> None:
        """Tell of the steps after which it was looked at."""
        self.position = None if place is None else place.position
        seen, self.seen = self.seen, []
        for step, of, picture in seen:
            self.stream.progress(stage, step, of, **_told(place))
            if picture is not None:
                quality = Encoding(jpeg_quality, jpeg_quality, 0)
                self.stream.preview(images.encode(picture, "jpeg", quality))

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
