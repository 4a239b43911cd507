"""Five ways to batch, side by side on a real TorchServe, over a device that only takes time.

    python -m benchmarks.batching            every load; 25 minutes
    python -m benchmarks.batching --quick    0.8 of capacity alone, and the overheads; 4 minutes
    python -m benchmarks.batching --curve l4 --json run.json --chart run.svg

Wire, engine, scheduler and policy are the product's own, as shipped; only a step's arithmetic is
left out. 70 % of the requests are previews of 4 steps, 30 % have 30. They arrive by chance (open
loop), the same ones at the same moments for everybody; latency counts from the arrival.
1 where a target was not met.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.batching import chart, columns, overheads, server, shots, tables, traffic
from benchmarks.batching.columns import Column
from benchmarks.batching.contenders import ALL, OURS
from benchmarks.batching.curves import CURVES
from benchmarks.batching.verdicts import BUSY, TOO_MUCH, verdicts

SECONDS: Final = {0.2: 160.0, 0.5: 200.0, BUSY: 300.0, 0.95: 300.0, TOO_MUCH: 200.0}
_QUICK_S: Final = 180.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print and store; 1 where a target was missed."""
    options = _options(argv)
    measured, curve = report.provenance(), CURVES[options.curve]
    print(f"{measured}\nemulated device ({options.curve}): {curve}\n", flush=True)
    with server.serving(ALL, options.curve) as urls:
        cost = overheads.measure(urls, options.rounds or (3 if options.quick else 8))
        print(f"{tables.overheads(cost)}\n", flush=True)
        run = list(_columns(urls, _lengths(options)))
    held = verdicts(run, cost)
    print(tables.verdicts(held))
    results = {
        "curve": {"name": options.curve, "ms": [1000 * curve.seconds(n) for n in range(1, 9)]},
        "overheads": asdict(cost),
        "columns": [asdict(one) for one in run],
        "verdicts": [{**asdict(one), "verdict": one.word} for one in held],
    }
    if options.json:
        report.write_json(options.json, measured, results)
    if options.chart:
        options.chart.write_text(chart.svg(run), encoding="utf-8")
    return int(any(one.met is False for one in held))


def _columns(urls: Mapping[str, str], lengths: Mapping[float, float]) -> Iterator[Column]:
    for load, seconds in lengths.items():
        arrivals = traffic.trace(load, seconds)
        # Deadlines are told where not everybody can be served; who knows none, is not told.
        told = [OURS.name] if load >= 1 else []
        column = columns.column(load, seconds, shots.send(urls, arrivals, told))
        print(f"{tables.column(column)}\n", flush=True)
        yield column


def _lengths(options: argparse.Namespace) -> dict[float, float]:
    chosen = {BUSY: _QUICK_S} if options.quick else SECONDS
    if options.loads:
        chosen = {load: SECONDS.get(load, _QUICK_S) for load in options.loads}
    return {load: options.seconds or seconds for load, seconds in chosen.items()}


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = report.arguments(__doc__)
    parser.add_argument("--curve", choices=CURVES, default="h200", help="what a step costs")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="also draw p95 by load, SVG")
    parser.add_argument("--loads", type=float, nargs="+", metavar="SHARE", help="only these loads")
    parser.add_argument("--seconds", type=float, help="length of every trace")
    parser.add_argument("--rounds", type=int, help="repetitions of the overheads")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
