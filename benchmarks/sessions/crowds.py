"""A hundred users at once, who order and then look now and then, at one gateway as it comes.

They arrive within one round of what they do, so that from the first on as many order in a second as
later. What one gateway is too busy for it refuses, and a refusal is counted as a failure here.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from benchmarks import report
from benchmarks.sessions import site as sites
from benchmarks.sessions.customers import PATH, photo
from benchmarks.sessions.storms import Worker

USERS: Final = 100
_LOOK_S: Final = 1.0
_ARRIVE_S: Final = 6.0
_ENDED: Final = frozenset({"completed", "failed", "cancelled", "expired"})


@dataclass(frozen=True, slots=True)
class Latency:
    """One kind of request, in ms."""

    call: str
    requests: int
    failed: int
    p50_ms: float
    p95_ms: float


async def measure(folder: Path, worker: Worker, seconds: float) -> Sequence[Latency]:
    """Have them order and look for so long."""
    times: Mapping[str, list[float]] = defaultdict(list)
    failed: Mapping[str, list[int]] = defaultdict(list)
    limits = httpx.Limits(max_connections=USERS)
    async with (
        sites.of_files(folder) as backing,
        sites.opened(backing, worker.urls, folder, 0, 1) as site,
        httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as client,
    ):
        url = site.runners[0].url + PATH

        async def timed(call: str, method: str, at: str, **told: Any) -> httpx.Response:  # noqa: ANN401
            begun = asyncio.get_running_loop().time()
            answer = await client.request(method, at, **told)
            times[call].append(1000 * (asyncio.get_running_loop().time() - begun))
            if not answer.is_success:
                failed[call].append(answer.status_code)
            return answer

        async def use(number: int) -> None:
            chance, headers = Random(number), {"X-User-Token": f"{number:03d}".ljust(32, "y")}
            photos = {"user_image": photo(number), "garment_image": photo(number + USERS)}
            files = {name: (name, content, "image/jpeg") for name, content in photos.items()}
            await asyncio.sleep(chance.uniform(0, _ARRIVE_S))
            while True:
                answer = await timed("create", "POST", url, headers=headers, files=files)
                state, at = "created", f"{url}/{answer.json().get('session_id')}"
                while state not in _ENDED:
                    await asyncio.sleep(chance.uniform(0.5, 1.5) * _LOOK_S)
                    looked = await timed("get", "GET", at, headers=headers)
                    state = looked.json().get("state", "failed")
                await asyncio.sleep(chance.uniform(2, 6) * _LOOK_S)

        users = [asyncio.create_task(use(number)) for number in range(USERS)]
        await asyncio.sleep(seconds)
        for user in users:
            user.cancel()
        await asyncio.gather(*users, return_exceptions=True)
    return [_latency(call, times[call], len(failed[call])) for call in sorted(times)]


def table(measured: Sequence[Latency]) -> str:
    """The table to print."""
    rows = [
        (one.call, f"{one.requests}", f"{one.failed}", f"{one.p50_ms:.0f}", f"{one.p95_ms:.0f}")
        for one in measured
    ]
    return report.table(("call", "requests", "failed", "p50 ms", "p95 ms"), rows)


def _latency(call: str, times: Sequence[float], failed: int) -> Latency:
    ordered = sorted(times)
    p50, p95 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95))
    return Latency(call, len(ordered), failed, p50, p95)
