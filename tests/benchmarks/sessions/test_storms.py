"""A smaller storm: whatever dies, what is accepted ends once."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from benchmarks.sessions import site, storms
from benchmarks.sessions.faults import Fault, Weather

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

# By kind, on files and on servers of their own.
DEATHS = {Fault.GATEWAY: 2, Fault.RUNNER: 4, Fault.TORCHSERVE: 1}
OUTAGES = {Fault.POSTGRES: 1, Fault.REDIS: 1, Fault.STORAGE: 8}
KINDS = {
    "files": (site.of_files, DEATHS, 1),
    "servers": (lambda _: site.of_servers(), DEATHS | OUTAGES, 2),
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_accepted_ends_once_whatever_dies(kind: str, tmp_path: Path) -> None:
    opened, faults, gateways = KINDS[kind]
    plan = storms.Plan(4, 40, Weather(6, faults), fronts=gateways, runners=gateways)
    backing: AbstractAsyncContextManager[site.Backing] = opened(tmp_path)
    async with backing as on, storms.emulated(tmp_path, plan.takes_s) as worker:
        left = await storms.storm(on, plan, worker, tmp_path)
    counted = left.tally
    assert left.faults == {fault.value: count for fault, count in faults.items()}
    assert (counted.accepted, counted.ended, counted.lost) == (40, 40, 0), left
    assert (counted.doubled, counted.unnumbered, left.refused) == (0, 0, 0), left
    assert counted.states == {"completed": 40}
    assert (left.pictures, left.uncollected) == (40, 0)
