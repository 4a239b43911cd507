"""The targets, each a ratio or a few milliseconds, and whether a run met them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.bar import Limit
from benchmarks.batching.columns import Column
from benchmarks.batching.contenders import CLASSIC, IN_ORDER, OURS
from benchmarks.batching.overheads import Overheads
from benchmarks.batching.traffic import PREVIEW, QUALITY

BUSY, TOO_MUCH = 0.8, 1.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, what was measured (NaN: nothing was), and the limit."""

    target: str
    measured: float
    limit: Limit

    @property
    def met(self) -> bool | None:
        """Whether it was met; None where nothing was measured."""
        return None if math.isnan(self.measured) else self.limit.met_by(self.measured)

    @property
    def word(self) -> str:
        """The verdict as it stands in the table."""
        return {True: "met", False: "not met", None: "not measured"}[self.met]


def verdicts(columns: Sequence[Column], overheads: Overheads | None) -> list[Verdict]:
    """Hold a run against every target."""
    by_load = {one.load: one for one in columns}
    return [
        *_busy(by_load.get(BUSY)),
        *_too_much(by_load.get(TOO_MUCH)),
        *_overheads(overheads),
    ]


def _busy(column: Column | None) -> Iterator[Verdict]:
    targets = ((PREVIEW, IN_ORDER, 0.1), (PREVIEW, CLASSIC, 0.05), (QUALITY, IN_ORDER, 1.25))
    for kind, other, at_most in targets:
        named = "preview" if kind == PREVIEW else "quality"
        words = f"at {BUSY}: {named} p95, of {other.title}'s"
        yield Verdict(words, _ratio(column, kind, other.name), Limit(at_most, up=False))


def _ratio(column: Column | None, kind: str, other: str) -> float:
    if column is None or not {other, OURS.name} <= column.figures.keys():
        return math.nan
    return column.figures[OURS.name].p95_s[kind] / column.figures[other].p95_s[kind]


def _too_much(column: Column | None) -> Iterator[Verdict]:
    ours = column.figures.get(OURS.name) if column else None
    in_time, late = (ours.in_time, ours.late) if ours else (math.nan, math.nan)
    words = f"at {TOO_MUCH}, with deadlines:"
    yield Verdict(f"{words} work in time, of capacity", in_time, Limit(0.95, up=True))
    yield Verdict(f"{words} late, of those accepted", late, Limit(0.02, up=False))


def _overheads(overheads: Overheads | None) -> Iterator[Verdict]:
    idle, step = math.nan, math.nan
    if overheads:
        idle, step = overheads.batching_ms, overheads.step_among_four_ms
    words = f"idle: ms a request pays beyond {IN_ORDER.title}'s"
    yield Verdict(words, idle, Limit(10.0, up=False))
    yield Verdict("four in flight: ms between two steps", step, Limit(1.0, up=False))
