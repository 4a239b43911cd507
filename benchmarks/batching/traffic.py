"""Who asks for what, and when: one trace per load, the same for everybody who is compared."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.batching.curves import ALONE_MS

PREVIEW: Final = "preview"
QUALITY: Final = "standard"
STEPS: Final = {PREVIEW: 4, QUALITY: 30}
WITHIN_S: Final = {PREVIEW: 1.0, QUALITY: 5.0}
"""Until when an answer is of use, from its arrival; told to the worker where deadlines are."""

_PREVIEWS: Final = 0.7
_SEED: Final = 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: when it comes, in seconds from the trace's begin, and of which kind it is."""

    at_s: float
    kind: str

    @property
    def work_s(self) -> float:
        """The seconds of the device that it needs alone."""
        return STEPS[self.kind] * ALONE_MS / 1000


def capacity_per_s() -> float:
    """Give the requests of the mix that the device could serve alone, one after the other."""
    steps = _PREVIEWS * STEPS[PREVIEW] + (1 - _PREVIEWS) * STEPS[QUALITY]
    return 1000 / (steps * ALONE_MS)


def trace(load: float, seconds: float, seed: int = _SEED) -> tuple[Arrival, ...]:
    """Draw the arrivals of `seconds` at `load` of capacity.

    A Poisson process, given how many came: uniform times; and given how many of them are previews.
    So every trace offers exactly the load it is named after, and only its bursts are chance.
    """
    drawn = random.Random(seed)
    count = round(load * capacity_per_s() * seconds)
    previews = round(_PREVIEWS * count)
    kinds = [PREVIEW] * previews + [QUALITY] * (count - previews)
    drawn.shuffle(kinds)
    times = sorted(drawn.uniform(0.0, seconds) for _ in kinds)
    return tuple(Arrival(at_s, kind) for at_s, kind in zip(times, kinds, strict=True))


def offered(arrivals: Sequence[Arrival], seconds: float) -> float:
    """Give the share of the device's time that arrivals ask for."""
    return sum(one.work_s for one in arrivals) / seconds
