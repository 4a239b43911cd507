"""What the scheduler knows of a request: who asks, how much is left, until when; no tensor."""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How urgent a request is by its nature."""

    PREVIEW = "preview"
    STANDARD = "standard"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request before it is let in.

    A step counts once for every picture that takes it. `deadline_s` is a time of the scheduler's
    clock; `least_steps` is how few steps the caller would take rather than be refused.
    """

    name: str
    user: str
    kind: Kind
    bucket: Hashable
    steps: int
    deadline_s: float | None = None
    least_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request is in, with so many steps; `estimate_s` is when it should be done."""

    steps: int
    estimate_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The deadline cannot be kept; `estimate_s` is when the request would have been done."""

    estimate_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands: `position` others go before it; `done_s` is when it should be done.

    Those who step together stand at one place, and `done_s` holds if nobody else comes.
    """

    position: int
    done_s: float


@dataclass(slots=True)
class Entry:
    """A request that is in: what is left of it, and since when it has been waiting.

    rows: pictures that take its next step, 0 while it is prepared and cannot step.
    """

    ticket: Ticket
    left: int
    arrived_s: float
    rows: int = 0
    served_s: float = 0.0
