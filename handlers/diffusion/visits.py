"""Networks that come to the device to work and leave afterwards, because not all fit at once."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import nn

from handlers.diffusion import int8

HOME: Final = torch.device("cpu")


class Visits:
    """Which networks live on the host and visit `device`; without any, all live where they work.

    One thread's visit at a time: another one waits until the guests have left.
    """

    def __init__(self, device: torch.device = HOME, guests: Iterable[nn.Module] = ()) -> None:
        self._device = device
        self._guests = {part for guest in guests for part in guest.modules()}
        self._present: set[nn.Module] = set()
        self._door = threading.RLock()

    def __contains__(self, module: nn.Module) -> bool:
        return module in self._guests

    @contextmanager
    def of(self, *modules: nn.Module) -> Iterator[None]:
        """Have modules, or parts of them, on the device while inside.

        Who is there already, of this thread's outer visit, stays until that one ends.
        """
        guests = {module for module in modules if module in self}
        if not guests:
            yield
            return
        with self._door:
            coming = guests - self._present
            arriving = {part for guest in coming for part in guest.modules()}
            self._present |= arriving
            try:
                for guest in coming:
                    int8.move(guest, self._device)
                yield
            finally:
                for guest in coming:
                    int8.move(guest, HOME)
                self._present -= arriving
