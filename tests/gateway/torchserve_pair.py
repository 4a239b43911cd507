"""The TorchServe adapter and a stand-in for the server that it talks to."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import httpx
import pytest

from gateway.adapters.torchserve import Retries, TorchServe
from gateway.domain.jobs import Job
from gateway.domain.options import Patience
from tests.gateway import pictures
from tests.gateway.torchserve_stand_in import StandIn, serve

PATIENCE = Patience(deadline_s=10, first_frame_s=10, stall_s=0.1)
MODELS = {"geometric": PATIENCE}
RETRIES = Retries(recovery_s=5, first_s=0.001, longest_s=0.01, max_crashes=2)
JOB = Job(
    model="geometric",
    params={"category": "upper_body", "output_format": "jpeg"},
    images={"person_image": pictures.png(), "garment_image": pictures.png(seed=2)},
    request_id="0123456789abcdef",
)


@dataclass
class Pair:
    """The adapter and the server that it talks to."""

    adapter: TorchServe
    server: StandIn
    retries: list[str]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]

    def with_patience(self, recovery_s: float = 5, **changes: float) -> TorchServe:
        models = {"geometric": replace(PATIENCE, **changes)}
        retries = replace(RETRIES, recovery_s=recovery_s)
        return TorchServe(*self.clients, models, retries, 1 << 24, self.retries.append)


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
        adapter = TorchServe(*both, MODELS, RETRIES, 1 << 24, retries.append)
        yield Pair(adapter, server, retries, both)
        server.stalled.set()
        server.ends.set()
