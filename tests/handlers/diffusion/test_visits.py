import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
import torch
from torch import nn

from handlers.diffusion.visits import HOME, Visits
from tests.patience import PATIENCE_S

DEVICE = torch.device("meta")  # another device than the host that every machine has


class Traveller(nn.Linear):
    """Writes down where it is sent."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.journeys: list[str] = []

    def to(self, *args: Any, **_kwargs: Any) -> "Traveller":  # noqa: ANN401  as torch declares it
        self.journeys.append(str(args[0]))
        return self


def test_a_guest_comes_to_work_and_leaves() -> None:
    guest = Traveller()
    visits = Visits(DEVICE, [guest])
    with visits.of(guest):
        assert guest.journeys == ["meta"]
    assert guest.journeys == ["meta", str(HOME)]


def test_a_guest_that_fails_at_work_leaves_as_well() -> None:
    guest = Traveller()
    with pytest.raises(torch.OutOfMemoryError), Visits(DEVICE, [guest]).of(guest):
        raise torch.OutOfMemoryError
    assert guest.journeys[-1] == str(HOME)


def test_who_lives_there_stays() -> None:
    resident, guest = Traveller(), Traveller()
    visits = Visits(DEVICE, [guest])
    with visits.of(resident):
        pass
    assert resident.journeys == guest.journeys == []


def test_a_part_of_a_guest_may_come_alone() -> None:
    part, other = Traveller(), Traveller()
    visits = Visits(DEVICE, [nn.ModuleList([part, other])])
    with visits.of(part):
        assert (part.journeys, other.journeys) == (["meta"], [])


def test_who_is_there_already_comes_once() -> None:
    guest = Traveller()
    whole = nn.ModuleList([guest])
    visits = Visits(DEVICE, [whole])
    with visits.of(guest):
        for _ in range(2):
            with visits.of(guest):
                pass
        assert guest.journeys == ["meta"]
    assert guest.journeys == ["meta", str(HOME)]


def test_two_threads_visit_one_after_the_other() -> None:
    guest = Traveller()
    visits, inside, leave = Visits(DEVICE, [guest]), threading.Event(), threading.Event()

    def stay() -> None:
        with visits.of(guest):
            inside.set()
            leave.wait(PATIENCE_S)

    def come() -> None:
        with visits.of(guest):
            pass

    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(stay)
        inside.wait(PATIENCE_S)
        second = workers.submit(come)
        assert wait([second], timeout=0.05).not_done
        leave.set()
        wait([first, second], timeout=PATIENCE_S)
    assert guest.journeys == ["meta", str(HOME)] * 2
