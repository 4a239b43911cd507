"""A device that computes nothing: it is busy for as long as a step would take."""

import time
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.batching.curves import Curve
from handlers.seats import Bucket
from handlers.settings import HandlerSettings, Stepping

BUCKET: Final[Bucket] = ("emulated", 1024, 768)

_SPIN_S: Final = 0.0004  # a sleep may end so much late; the rest is waited for awake
_OFF: Final = 0.2  # of the time that it should have taken: such a step is counted


@dataclass(frozen=True, slots=True)
class EmulatedSettings(HandlerSettings):
    """What the emulated model reads: what steps cost, and what the scheduler believes they do.

    Told that company is free, the scheduler lets everybody step every turn.
    """

    curve: str
    told_curve: str
    stepping: Stepping


class Device:
    """Takes steps, one at a time, and keeps account of them."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._ended_s = 0.0
        self.gaps_s: list[float] = []
        self.steps = 0
        self.off = 0

    def step(self, members: int) -> float:
        """Be busy with a step of so many; give the seconds that it took."""
        wanted_s = self._curve.seconds(members)
        began_s = time.perf_counter()
        time.sleep(wanted_s - _SPIN_S)
        while (took_s := time.perf_counter() - began_s) < wanted_s:
            pass
        self.gaps_s.append(began_s - self._ended_s)
        self._ended_s = began_s + took_s
        self.steps += 1
        self.off += took_s > wanted_s * (1 + _OFF)
        return took_s


class Seat:
    """A request that steps."""

    rows = 1
    is_sound = True

    def __init__(self, device: Device, steps: int) -> None:
        self._device = device
        self._steps = steps
        self._taken = 0
        self._first_gap = 0
        self._served_s = 0.0

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        return self._steps - self._taken

    @property
    def progress(self) -> tuple[int, int]:
        """How many steps were taken, of how many."""
        return self._taken, self._steps

    def preview(self) -> NDArray[np.uint8]:
        """Show grey."""
        return np.full((128, 96, 3), 128, np.uint8)

    def stepped(self, took_s: float) -> None:
        """Count one step, the device's latest."""
        if not self._taken:
            self._first_gap = len(self._device.gaps_s)
        self._taken += 1
        self._served_s += took_s

    def told(self) -> dict[str, Any]:
        """Give what the device saw of this request, and how it did until now; gaps in ms."""
        gaps_s = self._device.gaps_s[self._first_gap :] or [0.0]
        return {
            "served_s": self._served_s,
            "gap_ms": {"median": median(gaps_s) * 1000, "mean": fmean(gaps_s) * 1000},
            "steps": self._device.steps,
            "off": self._device.off,
        }
