"""What the layer around the device costs: one request on an idle server, a step among four."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.batching.contenders import IN_ORDER, OURS
from benchmarks.batching.shots import Answer, send
from benchmarks.batching.traffic import PREVIEW, QUALITY, STEPS, Arrival

_PAUSE_S: Final = 0.15
_TOGETHER: Final = 4


@dataclass(frozen=True, slots=True)
class Overheads:
    """In ms, medians. Idle: latency beyond the device's time, by kind, ours and one by one's.

    A step among four: from its end to the next one's begin, the device having nothing to do.
    """

    idle_ms: Mapping[str, float]
    idle_unbatched_ms: Mapping[str, float]
    step_among_four_ms: float

    @property
    def batching_ms(self) -> float:
        """What one request pays for the possibility of others; the worse kind's."""
        return max(self.idle_ms[kind] - self.idle_unbatched_ms[kind] for kind in self.idle_ms)


def measure(urls: Mapping[str, str], rounds: int) -> Overheads:
    """Ask one by one, then four at once, `rounds` times each, after as many to warm up."""
    idle = {name: _idle_ms(urls[name], rounds) for name in (OURS.name, IN_ORDER.name)}
    return Overheads(idle[OURS.name], idle[IN_ORDER.name], _among_four_ms(urls[OURS.name], rounds))


def _idle_ms(url: str, rounds: int) -> dict[str, float]:
    arrivals, at_s = list[Arrival](), 0.0
    for kind in (PREVIEW, QUALITY) * 2 * rounds:
        arrivals.append(Arrival(at_s, kind))
        at_s += STEPS[kind] * 0.025 + _PAUSE_S
    answers = _answers(url, arrivals)[2 * rounds :]
    return {
        kind: 1000 * median(_beyond_s(one) for one in answers if one.arrival.kind == kind)
        for kind in (PREVIEW, QUALITY)
    }


def _beyond_s(answer: Answer) -> float:
    return answer.ended_s - answer.sent_s - float(answer.device["served_s"])


def _among_four_ms(url: str, rounds: int) -> float:
    """Only until the first of each four is done are there four."""
    turn_s = _TOGETHER * STEPS[QUALITY] * 0.025 + _PAUSE_S
    arrivals = [Arrival(i * turn_s, QUALITY) for i in range(rounds) for _ in range(_TOGETHER)]
    answers = _answers(url, arrivals)
    fours = [answers[i : i + _TOGETHER] for i in range(0, len(answers), _TOGETHER)]
    firsts = [min(four, key=lambda one: one.ended_s) for four in fours]
    return median(float(one.device["gap_ms"]["median"]) for one in firsts)


def _answers(url: str, arrivals: list[Arrival]) -> list[Answer]:
    return [one for one in send({"one": url}, arrivals)["one"] if one.is_done]
