"""A run in words: a table per load, one for the targets."""

from collections.abc import Sequence

from benchmarks import report
from benchmarks.batching import overheads as costs
from benchmarks.batching.columns import Column, Figures
from benchmarks.batching.contenders import ALL, IN_ORDER
from benchmarks.batching.traffic import PREVIEW, QUALITY
from benchmarks.batching.verdicts import Verdict

_TITLES = {one.name: one.title for one in ALL}
_COLUMNS = (
    "", "preview p50", "p95 s", "of one by one's", "quality p50", "p95 s", "of one by one's",
    "in time", "refused", "late", "failed", "steps off",
)  # fmt: skip


def column(one: Column) -> str:
    """One load's table, under a line that says what was asked."""
    head = (
        f"{one.load:g} of capacity: {one.arrivals} requests in {one.seconds:.0f} s, "
        f"99 % of them sent within {one.sent_late_ms:.0f} ms of their time"
    )
    basis = one.figures.get(IN_ORDER.name)
    rows = [[_TITLES[name], *_cells(each, basis)] for name, each in one.figures.items()]
    return f"{head}\n{report.table(_COLUMNS, rows)}"


def overheads(one: costs.Overheads) -> str:
    """What the layer around the device costs."""
    rows = [
        [f"idle, {kind}", f"{ours:.1f}", f"{one.idle_unbatched_ms[kind]:.1f}"]
        for kind, ours in one.idle_ms.items()
    ]
    rows.append(["between two steps of four in flight", f"{one.step_among_four_ms:.2f}", ""])
    return report.table(["ms beyond the device's (median)", "ours", IN_ORDER.title], rows)


def verdicts(held: Sequence[Verdict]) -> str:
    """Every target, what was measured, and whether it was met."""
    rows = [[one.target, f"{one.measured:.3f}", str(one.limit), one.word] for one in held]
    return report.table(["target", "measured", "limit", "verdict"], rows)


def _cells(one: Figures, basis: Figures | None) -> list[str]:
    cells = []
    for kind in (PREVIEW, QUALITY):
        ratio = one.p95_s[kind] / basis.p95_s[kind] if basis else float("nan")
        cells += [f"{one.p50_s[kind]:.2f}", f"{one.p95_s[kind]:.2f}", f"{ratio:.3f}"]
    shares = (one.in_time, one.refused, one.late)
    return [*cells, *(f"{share:.1%}" for share in shares), f"{one.failed}", f"{one.off:.2%}"]
