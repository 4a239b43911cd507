"""Shoppers who notice nothing: versions of the engine are rolled out and back while they shop.

    python -m benchmarks.rollout            6 shoppers for 3 minutes, on a stack of its own
    python -m benchmarks.rollout --quick    3 shoppers for 1 minute

A real TorchServe with the geometric engine; the new version is the same engine under another
number. A fifth of the requests tries it first. Times are in ms, as the shopper sees them; during a
rollout two workers share the machine. Ends with 1 where a request failed or a rollout did.
"""

import secrets
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks import load, report
from gateway.stack.plan import plan_for
from gateway.stack.running import Stack
from handlers.archive import pack

_CONFIG: Final = report.ROOT / "config"
_PATH: Final = "/api/v1/admin/models/geometric"
_SHARE: Final = 0.2
_ENDS: Final = frozenset({"done", "failed", "rolled_back"})
_LOOK_S: Final = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Shop and roll at the same time; 1 where a request or a rollout failed."""
    options = report.arguments(__doc__).parse_args(argv)
    users, seconds = (3, 60) if options.quick else (6, 180)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        token, store = secrets.token_hex(16), Path(folder) / "store"
        for version in ("1.0.0", "1.1.0"):
            pack("geometric", _CONFIG / "geometric.yaml", store, version, is_versioned=True)
        plan = plan_for(report.ROOT, ["geometric"])
        settings = {
            "VTON_ADMIN__TOKEN": token,
            "VTON_STORAGE__URL": (Path(folder) / "objects").as_uri(),
            "VTON_ROLLOUT__SLOWDOWN": "10",  # the shoppers' photos differ, and two workers share
        }
        logs, settings = Path(folder) / "logs", plan.settings | settings
        with Stack(
            replace(plan, store=store, logs=logs, settings=settings), threading.Event()
        ) as up:
            shopping = pool.submit(load.shop, up.url, users, seconds)
            rollouts = _there_and_back(up.url, token, seconds / 6)
            lines = load.lines_of(shopping.result(), seconds)
    measured = report.provenance()
    print(f"{users} shoppers for {seconds} s, rolled out and back: {measured}\n")
    print(load.table(lines))
    for one in rollouts:
        print(f"\n{one['version']}: {one['state']}")
        print("\n".join(f"  {event['at'][11:19]} {event['message']}" for event in one["history"]))
    if options.json:
        told = {"users": users, "seconds": seconds, "lines": [asdict(line) for line in lines]}
        report.write_json(options.json, measured, told | {"rollouts": rollouts})
    rolled = all(one["state"] == "done" for one in rollouts)
    return int(not lines or not rolled or any(line.failed for line in lines))


def _there_and_back(url: str, token: str, canary_s: float) -> list[dict[str, Any]]:
    """Roll 1.1.0 out, tried by a share first, and 1.0.0 back; give both rollouts."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30.0) as client:
        wishes = ({"version": "1.1.0", "share": _SHARE, "canary_s": canary_s}, {"version": "1.0.0"})
        return [_rolled(client, wish) for wish in wishes]


def _rolled(client: httpx.Client, wish: dict[str, Any]) -> dict[str, Any]:
    begun = client.post(f"{_PATH}/versions", json=wish).raise_for_status().json()
    pause = threading.Event()
    while True:
        path = f"{_PATH}/rollouts/{begun['rollout_id']}"
        told: dict[str, Any] = client.get(path).raise_for_status().json()
        if told["state"] in _ENDS:
            return told
        pause.wait(_LOOK_S)


if __name__ == "__main__":
    sys.exit(main())
