"""Shoppers against a running stack: how long each kind of request takes, and what fails.

    make serve                      in another terminal
    python -m benchmarks.load       20 shoppers for 2 minutes
    python -m benchmarks.load --quick --host http://127.0.0.1:8000

Times are in ms, as the shopper sees them. "try-on, repeated" beside "try-on" is what the store of
finished results saves. A photo that the engine declines with a reason counts as answered.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import report

_SCENARIO = Path(__file__).with_name("locustfile.py")


@dataclass(frozen=True, slots=True)
class Line:
    """What happened to one kind of request; times in ms."""

    name: str
    requests: int
    failed: int
    per_s: float
    median: float
    p95: float
    worst: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run the shoppers; 1 where a request failed or none was made."""
    options = _parse(argv)
    users, seconds = (6, 30) if options.quick else (options.users, options.seconds)
    lines = lines_of(shop(options.host, users, seconds), seconds)
    measured = report.provenance()
    print(f"{users} shoppers for {seconds} s: {measured}\n")
    print(table(lines))
    if options.json:
        told = {"users": users, "seconds": seconds, "lines": [asdict(line) for line in lines]}
        report.write_json(options.json, measured, told)
    return int(not lines or any(line.failed for line in lines))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = report.arguments(__doc__)
    parser.add_argument("--host", default="http://127.0.0.1:8000", help="the gateway")
    parser.add_argument("--users", type=int, default=20, help="shoppers at once")
    parser.add_argument("--seconds", type=int, default=120)
    return parser.parse_args(argv)


def shop(host: str, users: int, seconds: int) -> list[dict[str, Any]]:
    """Run locust in a process of its own: it patches the standard library for itself."""
    command = [sys.executable, "-m", "locust", "-f", str(_SCENARIO), "--headless", "--json"]
    command += [
        "-H",
        host,
        "-u",
        str(users),
        "-r",
        "2",
        "-t",
        f"{seconds}s",
        "--stop-timeout",
        "20",
    ]
    command += ["--loglevel", "ERROR"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - own words
    if not done.stdout.startswith("["):
        sys.exit(f"the shoppers did not start:\n{done.stderr.strip()}")
    entries: list[dict[str, Any]] = json.loads(done.stdout)
    return entries


def lines_of(entries: Sequence[Mapping[str, Any]], seconds: int) -> list[Line]:
    """What became of each kind of request."""
    return [
        Line(
            name=entry["name"],
            requests=entry["num_requests"],
            failed=entry["num_failures"],
            per_s=entry["num_requests"] / seconds,
            median=_percentile(entry["response_times"], 0.50),
            p95=_percentile(entry["response_times"], 0.95),
            worst=entry["max_response_time"],
        )
        for entry in sorted(entries, key=lambda entry: str(entry["name"]))
    ]


def table(lines: Sequence[Line]) -> str:
    """The lines as Markdown; times in ms."""
    cells = [
        [x.name, f"{x.requests}", f"{x.failed}", f"{x.per_s:.2f}"]
        + [f"{ms:.0f}" for ms in (x.median, x.p95, x.worst)]
        for x in lines
    ]
    return report.table(["request", "n", "failed", "per s", "median", "p95", "worst"], cells)


def _percentile(counts: Mapping[str, int], share: float) -> float:
    """The time within which `share` of the requests of a histogram were answered."""
    times = sorted(float(ms) for ms, count in counts.items() for _ in range(count))
    return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0


if __name__ == "__main__":
    sys.exit(main())
