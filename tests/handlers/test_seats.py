"""What steps cost, measured with seats that count."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from handlers.base import Outcome
from handlers.seats import Sitting, measured, resumed

BUCKET = ("model", 64, 48)


@dataclass
class Counted:
    steps_left: int = 4
    rows: int = 1
    progress: tuple[int, int] = (0, 4)
    is_sound: bool = True

    def preview(self) -> NDArray[np.uint8]:
        return np.zeros((1, 1, 3), np.uint8)


@dataclass
class Device:
    """Steps cost as many turns of its wheel as are told."""

    closed: int = 0
    companies: list[int] = field(default_factory=list)

    def sit(self) -> Sitting[Counted]:
        try:
            yield Counted()
        finally:
            self.closed += 1
        return Outcome((), {})

    def advance(self, seats: Sequence[Any]) -> None:
        self.companies.append(len(seats))


def test_companies_are_tried_up_to_the_largest_or_until_one_does_not_pay() -> None:
    device = Device()
    costs = measured(BUCKET, device.sit, device.advance, 3)
    tried = [*dict.fromkeys(device.companies)]
    assert tried in ([1, 2], [1, 2, 3])
    assert device.closed == sum(tried)
    assert costs.step_s(BUCKET, 1) > 0


def test_other_sizes_cost_in_proportion_to_their_area() -> None:
    costs = measured(BUCKET, Device().sit, Device().advance, 1)
    alone_s = costs.step_s(BUCKET, 1)
    assert costs.step_s(("model", 128, 48), 1) == pytest.approx(2 * alone_s)


def test_who_takes_no_seat_tells_nothing_of_steps_and_everybody_is_let_go() -> None:
    def whole() -> Sitting[Counted]:
        yield from ()
        return Outcome((), {})

    with pytest.raises(TypeError, match="takes no seat"):
        measured(BUCKET, whole, Device().advance, 2)


def test_a_sitting_ends_with_its_outcome() -> None:
    sitting = Device().sit()
    assert isinstance(resumed(sitting), Counted)
    assert isinstance(resumed(sitting), Outcome)
