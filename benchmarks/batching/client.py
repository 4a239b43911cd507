"""The load: a process of its own that sends on time, whatever has been answered until then.

    python -m benchmarks.batching.client < plan.json > answers.json

Open loop: a request leaves when its trace says so, and its latency counts from that moment, so a
server that falls behind is charged for everybody whom it lets wait. Every arrival goes to all
addresses at once, and each stream is read to its end. A plan is `{"urls": {name: url},
"arrivals": [[at_s, steps, schedule or null], …], "schedules": [name, …]}`; the schedule is sent
only to the addresses named. An answer is `[name, index, sent_s, ended_s, outcome, device]`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import httpx

from handlers import samples

_LEAD_S: Final = 0.5  # from the plan read to the trace's begin
_PATIENCE_S: Final = 900.0


def main() -> int:
    """Read a plan, send it, write the answers."""
    plan = json.load(sys.stdin)
    answers = asyncio.run(_send_all(plan))
    json.dump(answers, sys.stdout)
    return 0


async def _send_all(plan: Mapping[str, Any]) -> list[list[Any]]:
    names = list(plan["urls"])
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=_PATIENCE_S) as client:
        began_s = time.perf_counter() + _LEAD_S
        sent = []
        for index, (at_s, steps, schedule) in enumerate(plan["arrivals"]):
            await asyncio.sleep(began_s + at_s - time.perf_counter())
            first = index % len(names)  # everybody is now the first of a moment, now the last
            for name in names[first:] + names[:first]:
                told = schedule if name in plan["schedules"] else None
                parts = _parts(steps, told)
                one = _ask(client, plan["urls"][name], parts, began_s)
                sent.append((name, index, asyncio.create_task(one)))
        return [[name, index, *await task] for name, index, task in sent]


async def _ask(
    client: httpx.AsyncClient, url: str, parts: Mapping[str, Any], began_s: float
) -> tuple[float, float, str, Mapping[str, Any]]:
    sent_s = time.perf_counter() - began_s
    try:
        async with client.stream("POST", url, files=parts) as answer:
            taken = [chunk async for chunk in answer.aiter_raw()]
            outcome, device = _read(answer.status_code, b"".join(taken))
    except httpx.HTTPError as fault:
        outcome, device = type(fault).__name__, {}
    return sent_s, time.perf_counter() - began_s, outcome, device


def _parts(steps: int, schedule: Mapping[str, Any] | None) -> dict[str, Any]:
    shipped = resources.files(samples)
    params = {"category": "upper_body", "output_format": "jpeg", "steps": steps}
    parts: dict[str, Any] = {
        "params": (None, json.dumps(params).encode(), "application/json"),
        "person_image": ("person", shipped.joinpath("person.jpg").read_bytes(), "image/jpeg"),
        "garment_image": ("garment", shipped.joinpath("garment.jpg").read_bytes(), "image/jpeg"),
    }
    if schedule is not None:
        parts["schedule"] = (None, json.dumps(schedule).encode(), "application/json")
    return parts


def _read(status: int, body: bytes) -> tuple[str, Mapping[str, Any]]:
    """Give the outcome that the last frame tells, and what the device told in it."""
    if status != httpx.codes.OK:
        return f"http {status}", {}
    kind, told = b"", b""
    while body:
        length = int.from_bytes(body[1:5], "big")
        kind, told, body = body[:1], body[5 : 5 + length], body[5 + length :]
    if kind == b"D":
        return "done", json.loads(told)["device"]
    return (str(json.loads(told)["error_code"]) if kind == b"E" else "cut"), {}


if __name__ == "__main__":
    sys.exit(main())
