"""The TorchServe adapter and a stand-in for the server that it talks to."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import httpx
import pytest

from gateway.adapters.breaker import BreakerRules, Breakers
from gateway.adapters.clock import SystemClock
from gateway.adapters.torchserve import TorchServe
from gateway.adapters.torchserve_hosts import Host, Retries, TorchServeHosts, is_silence
from gateway.adapters.torchserve_traffic import VersionTraffic
from gateway.domain.jobs import Job
from gateway.domain.options import Patience
from gateway.errors.kinds import ModelNotLoaded
from tests.gateway import pictures
from tests.gateway.torchserve_stand_in import StandIn, serve

PATIENCE = Patience(deadline_s=600, first_frame_s=120, stall_s=120)
MODELS = {"geometric": PATIENCE}
RETRIES = Retries(recovery_s=60, first_s=0.001, longest_s=0.01, max_crashes=2)
JOB = Job(
    model="geometric",
    params={"category": "upper_body", "output_format": "jpeg"},
    images={"person_image": pictures.png(), "garment_image": pictures.png(seed=2)},
    request_id="0123456789abcdef",
)


Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]


@dataclass
class Pair:
    """The adapter and the server that it talks to."""

    adapter: TorchServeHosts
    server: StandIn
    retries: list[str]
    clients: Clients

    def with_patience(self, recovery_s: float = 60, **changes: float) -> TorchServeHosts:
        models = {"geometric": replace(PATIENCE, **changes)}
        retries = replace(RETRIES, recovery_s=recovery_s)
        return hosts([self.clients], self.retries, models, retries)


def hosts(
    clients: Sequence[Clients],
    told: list[str],
    models: Mapping[str, Patience] = MODELS,
    retries: Retries = RETRIES,
    max_frame_bytes: int = 1 << 24,
) -> TorchServeHosts:
    """The adapter for hosts that these clients reach; the reasons of retries are `told`."""
    traffic = VersionTraffic(time.monotonic)
    breakers = Breakers(SystemClock(), lambda *_: None)
    made = [
        Host(
            TorchServe(*both, models, traffic, max_frame_bytes),
            breakers.breaker(f"host_{number}", ModelNotLoaded, BreakerRules(), is_silence),
        )
        for number, both in enumerate(clients, start=1)
    ]
    return TorchServeHosts(made, models, retries, traffic, told.append)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    server, retries = StandIn(), list[str]()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(server.app()))
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=None))  # noqa: S113
            for _ in range(2)
        ]
        both = (clients[0], clients[1])
        yield Pair(hosts([both], retries), server, retries, both)
        server.stalled.set()
        server.ends.set()
