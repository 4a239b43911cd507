"""What goes to a model, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from gateway.domain.schedule import Schedule


class Tickets(Protocol):
    """What engines elsewhere gave for work that they took on, by model; their own to read.

    They outlive whoever asked, so that nobody asks, and pays, for the same twice.
    """

    def known(self, model: str) -> str:
        """What a model gave; empty for one that was not asked, or refused."""
        ...

    async def keep(self, model: str, ticket: str) -> None:
        """Write down what a model gave; raises DatabaseFailed, or Conflict if it is others' work.

        What could not be written down is known all the same.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One inference: the model, its parameters, and the images by name (PNG bytes).

    `schedule` None is for a model that serves its requests one after the other; `is_shown` False
    for work that gives no picture. `version` None means the version the model server serves by
    default. `payer` is the id of the API key that is charged for it, and `place` where in the store
    the pictures of its session lie, if it is one's; neither is told to a model. `tickets` None is
    for work that nobody begins again.
    """

    model: str
    params: Mapping[str, JsonValue]
    images: Mapping[str, bytes]
    request_id: str
    schedule: Schedule | None = None
    is_shown: bool = True
    version: str | None = None
    payer: str | None = None
    place: str = ""
    tickets: Tickets | None = field(default=None, repr=False, compare=False)

    def after(self, elapsed_s: float) -> Job:
        """The same some seconds later, when less is left of the time its caller gave."""
        if self.schedule is None:
            return self
        return replace(self, schedule=self.schedule.after(elapsed_s))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model made: the encoded images in order, and what it says about them."""

    images: tuple[bytes, ...]
    metadata: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an inference is: `stage` is the `step`-th of `of`, or came so far itself.

    Where the model schedules its requests, `queue_position` says how many come before (0: none)
    and `estimate_s` in how many seconds it will be done. `preview` is a small JPEG of what the
    picture is to be, for those who asked.
    """

    stage: str
    step: int
    of: int
    queue_position: int | None = None
    estimate_s: float | None = None
    preview: bytes | None = None


class Readiness(StrEnum):
    """Whether a model can be asked."""

    READY = "ready"
    LOADING = "loading"
    MISSING = "missing"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model as its server last described it; a worker takes up to `batch_size` jobs at once."""

    readiness: Readiness
    version: str | None = None
    ready_workers: int = 0
    workers: int = 0
    memory_bytes: int = 0
    gpu: bool = False
    ready_pids: frozenset[int] = frozenset()
    batch_size: int = 1
    pids: frozenset[int] = frozenset()


UNKNOWN = ModelState(Readiness.UNREACHABLE)
