"""What a model that takes steps gives to the engine: what a request will need, and its seats."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from handlers.base import Outcome
from handlers.engine.costs import StepCosts, pays
from handlers.engine.scheduler import Policy
from handlers.engine.tickets import Kind
from handlers.settings import Stepping

_TIMINGS: Final = 3
_SLOW_S: Final = 0.5

Bucket: TypeAlias = tuple[str, int, int]
"""What may step together: a model, and a picture's height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request will need, known before any work.

    steps: of all its pictures together, at least; asked: the number its caller knows as steps.
    kind: where it is one by its nature, and its caller does not say otherwise.
    """

    bucket: Bucket
    steps: int
    asked: int
    kind: Kind | None = None

    @property
    def share(self) -> float:
        """How many steps of all its pictures one that was asked for makes."""
        return self.steps / self.asked


class Seat(Protocol):
    """Pictures of one request among those that step."""

    @property
    def rows(self) -> int:
        """How many pictures take the step."""
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

    def preview(self) -> NDArray[np.uint8]:
        """Show what it would become, small: (h, w, 3) RGB."""
        ...


S = TypeVar("S", bound=Seat)
Sitting: TypeAlias = Generator[S, None, Outcome]
"""A request: it prepares itself, gives a seat, is resumed when all its steps are taken, perhaps
gives another, and returns its outcome."""


def resumed(sitting: Sitting[S]) -> S | Outcome:
    """Let a request go on to its next seat, or to what it returns."""
    try:
        return next(sitting)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def policy(told: Stepping) -> Policy:
    """Give the scheduler's choices as the deployment made them."""
    weights = dict(zip(Kind, (told.preview_weight, 1.0, told.batch_weight), strict=True))
    return Policy(told.max_batch, told.ageing, told.fairness, weights)


def measured(
    bucket: Bucket,
    sit: Callable[[], Sitting[S]],
    advance: Callable[[Sequence[S]], None],
    most: int,
) -> StepCosts:
    """Time a step of 1, 2, … `most` pictures together, as long as company pays.

    `sit` gives requests for one picture of `bucket`, of `most` steps or more. Other sizes cost in
    proportion to their area.
    """
    taken = list[float]()
    while len(taken) < most and (len(taken) < 2 or pays(taken, len(taken))):  # noqa: PLR2004
        taken.append(_least_s(sit, advance, len(taken) + 1, min(most, _TIMINGS)))
    return StepCosts.by_area(tuple(taken), area_px(bucket), area_px)


def _least_s(
    sit: Callable[[], Sitting[S]],
    advance: Callable[[Sequence[S]], None],
    members: int,
    timings: int,
) -> float:
    """Time steps of so many pictures; the least is what a step costs, more is what disturbed it.

    A slow step is timed once: there, chance is small beside it, and a start is long enough.
    """
    sittings = [sit() for _ in range(members)]
    taken = list[float]()
    try:
        seats = [seat for one in sittings if not isinstance(seat := resumed(one), Outcome)]
        if len(seats) < members:
            raise TypeError("a request that takes no seat tells nothing of steps")
        while len(taken) < timings and (not taken or taken[-1] < _SLOW_S):
            started = perf_counter()
            advance(seats)
            taken.append(perf_counter() - started)
    finally:
        for sitting in sittings:
            sitting.close()
    return min(taken)


def area_px(bucket: Bucket) -> int:
    """Give the pixels of a bucket's pictures."""
    return bucket[1] * bucket[2]


def counted(before: int, rows: int, of: int, taken: int, steps: int) -> tuple[int, int]:
    """How many steps of a request were taken, of how many; each counts once per picture.

    `rows` of its `of` pictures have taken so many of their steps, `before` have taken all. One
    picture, or all at once, are the steps that the caller knows.
    """
    if rows == of:
        return taken, steps
    return before * steps + rows * taken, of * steps
