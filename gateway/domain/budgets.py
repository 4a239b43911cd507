"""What an API key may cost a day, in GPU seconds.

A GPU second is a second that a model's worker was at work on a request, whatever device it has: the
CPU's count as well. A day is a calendar day of UTC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.domain.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Budget:
    """The GPU seconds of a day and those spent; in `reset_s` seconds the next day begins."""

    gpu_s: float
    spent_s: float
    reset_s: float

    @property
    def left_s(self) -> float:
        """What is left; never less than nothing."""
        return max(0.0, self.gpu_s - self.spent_s)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.spent_s >= self.gpu_s


def day_of(now: float) -> int:
    """The day of a Unix time, counted from 1970."""
    return math.floor(now / DAY_S)


def until_tomorrow_s(now: float) -> float:
    """Seconds from a Unix time to the end of its day; more than 0."""
    return (day_of(now) + 1) * DAY_S - now


def gpu_s_of(metadata: Mapping[str, JsonValue], took_s: float) -> float:
    """What an inference cost: the sum of its stages, as the worker measured them.

    Where the worker tells of none, it is as long as the gateway waited.
    """
    stages = metadata.get("stage_ms")
    told = (stages if isinstance(stages, dict) else {}).values()
    times_ms = [float(ms) for ms in told if isinstance(ms, int | float)]
    spent_s = math.fsum(times_ms) / 1000
    return spent_s if times_ms and math.isfinite(spent_s) and spent_s >= 0 else took_s
