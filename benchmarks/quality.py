"""Score an engine on try-on pairs with ground truth, beside doing nothing.

  python -m benchmarks.quality                          four pairs that ship with the project
  python -m benchmarks.quality PAIRS --sheet sheet.jpg  any folder in the pairs' format
  python -m benchmarks.quality --engine results:DIR     pictures made elsewhere, <pair id>.png

wrong%   down  missing or invented parts, in % of old and new garment together
dE_lo    down  colour of the new garment, blind to where its pattern lies
tex      up    pattern of the new garment, roughly in place
dE_rev   down  colour where skin, wall or trousers had to be uncovered
bIoU     up    outline of what changed
front    down  share of hands, hair, face and neck painted over
out%     down  changed outside the garments
ssim, dE, energy, IoU, far: for reference, they do not agree with the eye
"""

import argparse
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path

from benchmarks import bar, pairs, report, sheet
from benchmarks.engines import DoNothing, Engine, Refused, engine
from benchmarks.scoring import Score, score

_PAIRS = report.ROOT / "tests" / "fixtures" / "pairs"
_BAR = report.ROOT / "config" / "quality.yaml"
_QUICK_PAIRS = 4
_COLUMNS: Mapping[str, tuple[str, int]] = {  # metric: title, digits
    "wrong_pct": ("wrong%", 1),
    "colour_de": ("dE_lo", 1),
    "texture": ("tex", 2),
    "revealed_de": ("dE_rev", 1),
    "boundary_iou": ("bIoU", 2),
    "front_share": ("front", 2),
    "outside_pct": ("out%", 2),
    "ssim": ("ssim", 3),
    "pixel_de": ("dE", 1),
    "energy": ("energy", 2),
    "region_iou": ("IoU", 2),
    "far_max": ("far", 0),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One pair's result: the engine's score, doing nothing's, and how long it took."""

    entry: sheet.Entry
    score: Score
    nothing: Score
    seconds: float
    refusal: str | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where `--bar` is given and missed, or a pair was refused."""
    options = _parse(argv)
    listed = islice(pairs.load(options.pairs), _QUICK_PAIRS if options.quick else None)
    rows = list(_run(engine(options.engine), listed))
    limits = bar.read(_BAR)
    means = _means_by_category(options.engine, rows)
    means["do nothing"] = _means(row.nothing for row in rows)
    missed = limits.missed(means[options.engine])
    refused = {row.entry.pair.id: row.refusal for row in rows if row.refusal}
    measured = report.provenance()
    print(f"\nquality of {options.engine} on {len(rows)} pairs: {measured}\n")
    print(_table(rows, means, limits))
    print(f"\n{_verdict(missed, refused)}")
    if options.sheet:
        sheet.write(options.sheet, [row.entry for row in rows])
    if options.json:
        report.write_json(options.json, measured, _results(rows, means, missed))
    return int(options.bar and bool(missed or refused))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = report.arguments(__doc__)
    parser.add_argument("pairs", nargs="?", type=Path, default=_PAIRS, metavar="PAIRS_DIR")
    parser.add_argument("--engine", default="geometric", help="geometric, none or results:DIR")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet")
    parser.add_argument("--bar", action="store_true", help="exit 1 where a mean misses the bar")
    return parser.parse_args(argv)


def _run(chosen: Engine, listed: Iterable[pairs.Pair]) -> Iterable[Row]:
    """Dress and score one pair after the other, telling each as it is done."""
    for pair in listed:
        started, refusal = time.perf_counter(), None
        try:
            result = chosen.dress(pair)
        except Refused as problem:
            result, refusal = pair.person, str(problem)
        seconds = time.perf_counter() - started
        numbers = score(pair, result)
        nothing = score(pair, DoNothing().dress(pair))
        told = "  ".join(f"{t} {_cell(asdict(numbers)[k], d)}" for k, (t, d) in _judged())
        caption = f"{pair.id}  {told}" + (f"  refused: {refusal}" if refusal else "")
        print(caption, flush=True)
        yield Row(sheet.Entry(pair, result, caption), numbers, nothing, seconds, refusal)


def _judged() -> list[tuple[str, tuple[str, int]]]:
    return list(_COLUMNS.items())[:7]


def _means_by_category(name: str, rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """The engine's means: each category's, where there are several, then all pairs'."""
    categories = sorted({row.entry.pair.category for row in rows})
    means = {
        f"{name}, {category}": _means(r.score for r in rows if r.entry.pair.category == category)
        for category in categories
        if len(categories) > 1
    }
    return means | {name: _means(row.score for row in rows)}


def _means(scores: Iterable[Score]) -> dict[str, float | None]:
    """Mean per metric over the pairs that have it."""
    listed = list(scores)
    means: dict[str, float | None] = {}
    for field in fields(Score):
        values = [v for s in listed if (v := getattr(s, field.name)) is not None]
        means[field.name] = sum(values) / len(values) if values else None
    return means


def _table(
    rows: Sequence[Row], means: Mapping[str, Mapping[str, float | None]], limits: bar.Bar
) -> str:
    lines = [[row.entry.pair.id, *_cells(asdict(row.score)), f"{row.seconds:.2f}"] for row in rows]
    lines += [[f"mean {name}", *_cells(numbers), ""] for name, numbers in means.items()]
    lines += [[f"recorded {name}", *_cells(n), ""] for name, n in limits.references.items()]
    asked = [str(limits.limits[k]) if k in limits.limits else "" for k in _COLUMNS]
    lines.append(["bar", *asked, ""])
    return report.table(["pair", *(title for title, _ in _COLUMNS.values()), "s"], lines)


def _cells(numbers: Mapping[str, float | None]) -> list[str]:
    return [_cell(numbers.get(key), digits) for key, (_, digits) in _COLUMNS.items()]


def _cell(number: float | None, digits: int) -> str:
    return "-" if number is None else f"{number:.{digits}f}"


def _verdict(missed: Sequence[str], refused: Mapping[str, str | None]) -> str:
    said = (
        [f"misses the bar on {', '.join(_COLUMNS[name][0] for name in missed)}"] if missed else []
    )
    if refused:
        said.append(f"refused {', '.join(refused)}")
    return "; ".join(said) or "meets the bar"


def _results(
    rows: Sequence[Row],
    means: Mapping[str, Mapping[str, float | None]],
    missed: Sequence[str],
) -> dict[str, object]:
    return {
        "pairs": {
            row.entry.pair.id: asdict(row.score) | {"seconds": row.seconds, "refusal": row.refusal}
            for row in rows
        },
        "means": means,
        "missed": list(missed),
    }


if __name__ == "__main__":
    sys.exit(main())
