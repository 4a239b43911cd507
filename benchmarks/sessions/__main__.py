"""Sessions in bad weather: what is accepted ends, once, whatever dies meanwhile.

    python -m benchmarks.sessions            500 sessions, every kind of fault; 3 minutes
    python -m benchmarks.sessions --quick    the same in a shorter time; 2 minutes
    python -m benchmarks.sessions --torchserve    a real TorchServe with the geometric engine

Two gateways accept and two run, on one Postgres, Redis and S3, all of them real and killed with
kill -9; leases are of 3 s. 20 users order and insist. Then the gateway's overhead beside a bare
FastAPI application, and a crowd on one gateway with SQLite and a folder. 1 where something was lost
or doubled, or a target was not met.
"""

import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import report
from benchmarks.sessions import crowds, overhead, site, storms
from benchmarks.sessions.faults import Fault, Weather
from gateway.stack.plan import plan_for
from gateway.stack.running import Stack

_FAULTS: Final = {
    Fault.GATEWAY: 10,
    Fault.RUNNER: 20,
    Fault.TORCHSERVE: 5,
    Fault.POSTGRES: 3,
    Fault.REDIS: 3,
    Fault.STORAGE: 50,
}
_ENDED_S: Final = 30.0
_ADDED_MS: Final = 0.5
_P95_MS: Final = 200.0
_TAKES_S: Final = 0.15


def main(argv: Sequence[str] | None = None) -> int:
    """Storm, measure, print and store; 1 where a target was missed."""
    parser = report.arguments(__doc__)
    parser.add_argument("--torchserve", action="store_true", help="a real one, not a stand-in")
    options = parser.parse_args(argv)
    measured = report.provenance()
    print(f"{measured}; load {os.getloadavg()[0]:.1f}\n", flush=True)
    plan = storms.Plan(20, 500, Weather(40 if options.quick else 80, _FAULTS), takes_s=_TAKES_S)
    with tempfile.TemporaryDirectory(prefix="vton-") as folder:
        added = uvloop.run(overhead.measure())
        print(f"{overhead.table(added)}\n", flush=True)
        left, crowd = asyncio.run(
            _weather(plan, Path(folder), 10 if options.quick else 30, is_real=options.torchserve)
        )
    verdicts = _verdicts(left, added, crowd)
    print("\n".join(f"{'yes' if met else 'NO '}  {words}" for words, met in verdicts.items()))
    if options.json:
        results = {
            "storm": asdict(left),
            "overhead": [asdict(one) | {"added_ms": one.added_ms} for one in added],
            "crowd": [asdict(one) for one in crowd],
            "verdicts": verdicts,
            "load": os.getloadavg(),
        }
        report.write_json(options.json, measured, results)
    return int(not all(verdicts.values()))


async def _weather(
    plan: storms.Plan, folder: Path, crowd_s: float, *, is_real: bool
) -> tuple[storms.Aftermath, Sequence[crowds.Latency]]:
    calm = folder / "calm"
    calm.mkdir()
    async with _worker(folder, plan.takes_s, is_real=is_real) as worker:
        crowd = await crowds.measure(calm, worker, crowd_s)
        print(f"{crowds.USERS} users at once:\n\n{crowds.table(crowd)}\n", flush=True)
        async with site.of_servers() as backing:
            left = await storms.storm(backing, plan, worker, folder)
    print(f"{_told(left)}\n", flush=True)
    return left, crowd


@asynccontextmanager
async def _worker(folder: Path, takes_s: float, *, is_real: bool) -> AsyncIterator[storms.Worker]:
    if not is_real:
        async with storms.emulated(folder, takes_s) as worker:
            yield worker
        return
    plan = plan_for(report.ROOT, ["geometric"])
    settings = plan.settings | {"VTON_STORAGE__URL": (folder / "unused").as_uri()}
    stack = Stack(replace(plan, logs=folder / "logs", settings=settings), threading.Event())
    up = await asyncio.to_thread(stack.__enter__)
    try:
        yield storms.real(up.inference_url, up.management_url)
    finally:
        await asyncio.to_thread(stack.__exit__, None, None, None)


def _told(left: storms.Aftermath) -> str:
    counted = left.tally
    rows = [
        ("accepted", f"{counted.accepted}"),
        ("ended", f"{counted.ended}"),
        *((f"  {state}", f"{count}") for state, count in sorted(counted.states.items())),
        ("lost", f"{counted.lost}"),
        ("doubled", f"{counted.doubled}"),
        ("items begun again", f"{counted.begun_again}"),
        ("orders repeated, and known again", f"{left.repeated}"),
        ("pictures collected", f"{left.pictures}"),
        *((fault, f"{count}") for fault, count in sorted(left.faults.items())),
        ("s until all had ended after the last fault", _seconds(left.ended_after_s)),
    ]
    return report.table(("500 sessions of 20 users", "number"), rows)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def _verdicts(
    left: storms.Aftermath,
    added: Sequence[overhead.Overhead],
    crowd: Sequence[crowds.Latency],
) -> dict[str, bool]:
    counted = left.tally
    every = left.refused == 0 and left.uncollected == 0
    return {
        "every order was accepted, and every picture collected": every,
        "nothing was lost": counted.lost == 0 and counted.ended == counted.accepted,
        "nothing was doubled": counted.doubled == 0 and counted.unnumbered == 0,
        f"all had ended {_ENDED_S:.0f} s after the last fault": (
            left.ended_after_s is not None and left.ended_after_s <= _ENDED_S
        ),
        **{f"{one.call} adds less than {_ADDED_MS} ms": one.added_ms < _ADDED_MS for one in added},
        **{
            f"95 % of {one.call} within {_P95_MS:.0f} ms": one.p95_ms < _P95_MS and not one.failed
            for one in crowd
        },
    }


if __name__ == "__main__":
    sys.exit(main())
