"""What one load did to everybody: percentiles, and how much was served in time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.batching.shots import Answer
from benchmarks.batching.traffic import PREVIEW, QUALITY

WARM_UP: Final = 0.1  # of a trace: who comes then finds it emptier than it will be
_REFUSED: Final = ("ML_4007", "http 503")


@dataclass(frozen=True, slots=True)
class Figures:
    """How one contender did under one load.

    `p50_s` and `p95_s` are by kind; `in_time` is the work that was of use, in shares of what the
    device can do; `late` of those accepted; `off` of the steps that took longer than they should.
    """

    answered: Mapping[str, int]
    p50_s: Mapping[str, float]
    p95_s: Mapping[str, float]
    in_time: float
    refused: float
    late: float
    failed: int
    off: float


@dataclass(frozen=True, slots=True)
class Column:
    """One load, in shares of capacity, and how everybody did; `sent_late_ms` is the load's p99."""

    load: float
    seconds: float
    arrivals: int
    sent_late_ms: float
    figures: Mapping[str, Figures]


def column(load: float, seconds: float, answers: Mapping[str, Sequence[Answer]]) -> Column:
    """Sum up what became of a trace."""
    everybody = [one for each in answers.values() for one in each]
    return Column(
        load=load,
        seconds=seconds,
        arrivals=len(everybody) // len(answers),
        sent_late_ms=1000 * percentile((one.sent_s - one.arrival.at_s for one in everybody), 0.99),
        figures={name: figures(each, seconds) for name, each in answers.items()},
    )


def figures(answers: Sequence[Answer], seconds: float) -> Figures:
    """Sum up one contender's answers to a trace of so many seconds, its beginning left out."""
    warm_s = WARM_UP * seconds
    counted = [one for one in answers if one.arrival.at_s >= warm_s]
    done = [one for one in counted if one.is_done]
    latencies = {
        kind: [one.latency_s for one in done if one.arrival.kind == kind]
        for kind in (PREVIEW, QUALITY)
    }
    refused = sum(one.outcome in _REFUSED for one in counted)
    of_use = [one for one in done if one.is_in_time]
    return Figures(
        answered={kind: len(each) for kind, each in latencies.items()},
        p50_s={kind: percentile(each, 0.50) for kind, each in latencies.items()},
        p95_s={kind: percentile(each, 0.95) for kind, each in latencies.items()},
        in_time=sum(one.arrival.work_s for one in of_use) / (seconds - warm_s),
        refused=_share(refused, len(counted)),
        late=_share(len(counted) - refused - len(of_use), len(counted) - refused),
        failed=len(counted) - refused - len(done),
        off=_off(answers),
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Give the least value that `share` of all do not exceed (nearest rank); NaN of none."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


def _off(answers: Sequence[Answer]) -> float:
    """The share of steps that were off between the first and the last answer: counts only grow."""
    counts = sorted((one.device["steps"], one.device["off"]) for one in answers if one.is_done)
    if not counts:
        return math.nan
    (steps, off), (all_steps, all_off) = counts[0], counts[-1]
    return _share(all_off - off, all_steps - steps)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
