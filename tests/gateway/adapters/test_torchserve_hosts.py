"""Several TorchServe hosts: who is asked, who is left out, and who comes back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from gateway.adapters.breaker import BreakerRules
from gateway.adapters.torchserve_hosts import TorchServeHosts, merged
from gateway.adapters.torchserve_management import TorchServeVersions
from gateway.adapters.torchserve_versions import HostsVersions, common
from gateway.domain.jobs import ModelState, Readiness
from gateway.domain.versions import Archive, Registered
from gateway.errors.kinds import ModelNotLoaded, NotDeployed, TimedOut
from tests.gateway.loop_time import let_pass
from tests.gateway.running import running_gateway
from tests.gateway.torchserve_pair import JOB, PATIENCE, RETRIES, Clients, hosts
from tests.gateway.torchserve_stand_in import Fault, StandIn, serve
from tests.gateway.versions_stand_in import VersionsStandIn
from tests.servers.process import held_port

NOWHERE = "http://127.0.0.1:9"

pytestmark = pytest.mark.anyio


@dataclass
class Farm:
    """The adapter, the hosts behind it, and the reasons of its retries."""

    adapter: TorchServeHosts
    servers: Sequence[StandIn]
    clients: Sequence[Clients]
    retries: list[str]

    @property
    def asked(self) -> list[int]:
        """How many requests came to each host."""
        return [len(server.asked) for server in self.servers]

    async def until_asked(self, *times: int) -> None:
        """Wait until each host got so many requests."""
        for server, expected in zip(self.servers, times, strict=True):
            while len(server.asked) < expected:
                server.was_asked.clear()
                await server.was_asked.wait()
        assert self.asked == [*times]


@asynccontextmanager
async def farm(count: int = 2) -> AsyncIterator[Farm]:
    """So many hosts, looked at once."""
    servers, retries = [StandIn() for _ in range(count)], list[str]()
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serve(one.app())) for one in servers]
        clients = [await _clients(url, stack) for url in urls]
        adapter = hosts(clients, retries)
        await adapter.refresh()
        yield Farm(adapter, servers, clients, retries)
        for server in servers:
            server.stalled.set()


def _addresses(urls: str) -> dict[str, str]:
    return {"inference_url": urls, "management_url": urls}


async def _clients(url: str, stack: AsyncExitStack) -> Clients:
    made = [httpx.AsyncClient(base_url=url, timeout=None) for _ in range(2)]  # noqa: S113
    for client in made:
        await stack.enter_async_context(client)
    return made[0], made[1]


async def test_whoever_has_fewest_under_way_is_asked() -> None:
    async with farm(3) as place:
        for server in place.servers:
            server.faults.extend([Fault.SILENT] * 2)
        asking = [asyncio.ensure_future(place.adapter.predict(JOB)) for _ in range(6)]
        await place.until_asked(2, 2, 2)
        asking[1].cancel()
        await asyncio.gather(asking[1], return_exceptions=True)
        await place.adapter.predict(JOB)
        assert place.asked == [2, 3, 2]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_a_request_that_cost_a_worker_is_asked_elsewhere_at_once() -> None:
    async with farm() as place:
        place.servers[0].faults.append(Fault.CUT)
        assert (await place.adapter.predict(JOB)).images
        assert (place.asked, place.retries) == ([1, 1], ["cut_stream"])


async def test_a_full_queue_sends_a_request_elsewhere() -> None:
    async with farm() as place:
        place.servers[0].faults.append(Fault.NO_WORKER)
        assert (await place.adapter.predict(JOB)).images
        assert place.asked == [1, 1]


async def test_only_hosts_whose_model_is_ready_are_asked() -> None:
    async with farm() as place:
        place.servers[0].is_ready = False
        await place.adapter.refresh()
        await asyncio.gather(*(place.adapter.predict(JOB) for _ in range(4)))
        assert place.asked == [0, 4]


async def test_a_host_that_dies_is_left_out_and_comes_back() -> None:
    first, second, retries = StandIn(), StandIn(), list[str]()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(second.app()))
        port = stack.enter_context(held_port()).getsockname()[1]
        async with serve(first.app(), port) as mortal:
            clients = [await _clients(one, stack) for one in (mortal, url)]
            adapter = hosts(clients, retries)
            await adapter.refresh()
            await asyncio.gather(*(adapter.predict(JOB) for _ in range(2)))
        assert (len(first.asked), len(second.asked)) == (1, 1)
        await asyncio.gather(*(adapter.predict(JOB) for _ in range(3)))
        await adapter.refresh()
        assert adapter.reachable() == {"host_1": False, "host_2": True}
        await asyncio.gather(*(adapter.predict(JOB) for _ in range(2)))
        assert (len(first.asked), len(second.asked)) == (1, 6)
        async with serve(first.app(), port):
            await adapter.refresh()
            await asyncio.gather(*(adapter.predict(JOB) for _ in range(2)))
            assert len(first.asked) == 2


@pytest.mark.prop(44)
async def test_a_host_that_never_answers_is_called_five_times_and_no_more() -> None:
    async with farm() as place:
        place.servers[0].faults.extend([Fault.SILENT] * 20)
        for _ in range(12):
            asked = place.asked[0]
            task = asyncio.ensure_future(place.adapter.predict(JOB))
            while not task.done():
                await asyncio.sleep(0)
                if place.asked[0] > asked:
                    asked = place.asked[0]
                    let_pass(PATIENCE.first_frame_s)
            assert (await task).images
        assert place.asked[0] <= 5
        assert place.asked[1] == 12


@pytest.mark.prop(43)
@pytest.mark.prop(44)
async def test_while_nobody_answers_requests_are_refused_at_once() -> None:
    async with farm(1) as place:
        place.servers[0].faults.extend([Fault.SILENT] * 20)
        models = {"geometric": replace(PATIENCE, first_frame_s=0.1)}
        adapter = hosts(place.clients, place.retries, models, replace(RETRIES, max_crashes=1))
        for _ in range(5):
            with pytest.raises(TimedOut):
                await adapter.predict(JOB)
        before = place.asked
        with pytest.raises(ModelNotLoaded) as refused:
            await adapter.predict(JOB)
        assert 0 < int(refused.value.headers["Retry-After"]) <= BreakerRules().reset_s
        assert place.asked == before


async def test_a_model_that_no_host_has_is_not_deployed() -> None:
    async with farm() as place:
        for server in place.servers:
            server.is_registered = False
        await place.adapter.refresh()
        with pytest.raises(NotDeployed):
            await place.adapter.predict(JOB)


async def test_a_model_that_one_host_has_is_deployed() -> None:
    async with farm() as place:
        place.servers[0].is_registered = False
        await place.adapter.refresh()
        assert (await place.adapter.predict(JOB)).images
        assert place.adapter.state(JOB.model).readiness is Readiness.READY


async def test_a_host_that_does_not_tell_how_it_is_holds_nobody_up() -> None:
    async with farm() as place:
        place.servers[0].answers.clear()
        await place.adapter.refresh()
        place.servers[0].answers.set()
        assert (await place.adapter.predict(JOB)).images
        assert place.asked == [0, 1]


async def test_attempts_are_counted_over_all_hosts() -> None:
    async with farm() as place:
        await asyncio.gather(*(place.adapter.predict(JOB) for _ in range(4)))
        assert place.adapter.traffic.tally("geometric", "1.0").answered == 4


async def test_what_is_asked_of_versions_is_asked_of_every_host() -> None:
    servers = [VersionsStandIn(), VersionsStandIn()]
    archive = Archive("geometric-1.1.0.mar", "geometric", "1.1.0", 1, 120.0, {})
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serve(one.app())) for one in servers]
        clients = [(await _clients(url, stack))[1] for url in urls]
        control = HostsVersions([TorchServeVersions(client) for client in clients])
        await control.register(archive)
        await control.scale("geometric", "1.1.0", 2)
        await control.make_default("geometric", "1.1.0")
        told = await control.versions("geometric")
        assert [(one.version, one.is_default) for one in told] == [
            ("1.1.0", True),
            ("1.0.0", False),
        ]
        await control.unregister("geometric", "1.0.0")
        assert [[*server.versions] for server in servers] == [["1.1.0"], ["1.1.0"]]


@pytest.mark.prop(44)
async def test_health_names_hosts_that_are_away_and_circuits_that_are_open(tmp_path: Path) -> None:
    async with (
        serve(StandIn().app()) as other,
        running_gateway(tmp_path, torchserve=_addresses(f"{other},{NOWHERE}")) as one,
    ):
        assert (await one.tryon()).status_code == 200
        report = (await one.client.get("/health")).json()
        hosts_told = report["components"]["hosts"]
        assert hosts_told["details"] == {"torchserve_1": True, "torchserve_2": False}
        circuits = report["components"]["circuits"]
        assert circuits["details"] == {"torchserve_1": "closed", "torchserve_2": "closed"}
        assert (report["status"], hosts_told["status"]) == ("degraded", "degraded")


def test_a_version_is_what_the_host_furthest_behind_says() -> None:
    ready = ModelState(Readiness.READY, "1.1", 2, 2, pids=frozenset({1, 2}))
    behind = ModelState(Readiness.LOADING, "1.1", 1, 2, pids=frozenset({3, 4, 5}))
    told = common(
        [
            Registered("1.1", ready, is_default=True, archive="a.mar", waiting=3),
            Registered("1.1", behind, is_default=False, archive="a.mar", waiting=4),
        ]
    )
    assert told.state == replace(behind, ready_workers=1)
    assert (told.is_default, told.waiting) == (False, 7)


def test_several_hosts_are_one_model_with_the_workers_of_all() -> None:
    ready = ModelState(Readiness.READY, "1.0", ready_workers=2, workers=2, memory_bytes=5)
    loading = ModelState(Readiness.LOADING, "1.1", workers=1, gpu=True)
    state = merged([loading, ready])
    assert state.readiness is Readiness.READY
    assert (state.version, state.ready_workers, state.workers, state.gpu) == ("1.0", 2, 3, True)
    unknown = [ModelState(Readiness.MISSING), ModelState(Readiness.UNREACHABLE)]
    assert merged(unknown).readiness is Readiness.UNREACHABLE
