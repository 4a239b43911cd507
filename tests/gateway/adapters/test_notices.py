import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from gateway.adapters.notices import open_notices
from gateway.adapters.notices_memory import MemoryNotices
from gateway.adapters.notices_remote import RemoteNotices, Waits
from gateway.errors.kinds import Misconfigured
from gateway.ports.sessions import Notices
from tests.servers.fault_proxy import FaultProxy
from tests.servers.process import Server

pytestmark = pytest.mark.anyio

PATIENCE_S = 60.0
# Where nothing goes wrong, an echo comes, however late; no line is given up and renewed.
CALM = Waits(beat_s=PATIENCE_S, echo_s=PATIENCE_S, retry_first_s=0.01, retry_longest_s=0.05)
# An echo that takes longer than this is one that does not come.
WAITS = Waits(beat_s=0.05, echo_s=2.0, retry_first_s=0.01, retry_longest_s=0.05)
HASTY = Waits(beat_s=0.05, echo_s=0.25, retry_first_s=0.01, retry_longest_s=0.05)


class Ear:
    """Listens to a topic; what it hears while nobody asks is one wake-up."""

    def __init__(self, notices: Notices, topic: str) -> None:
        self._notices, self._topic = notices, topic
        self._woken = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for _ in self._notices.listen(self._topic):
            self._woken.set()

    async def wakes(self) -> None:
        """Wait for a wake-up."""
        async with asyncio.timeout(PATIENCE_S):
            await self._woken.wait()
        self._woken.clear()

    @property
    def is_woken(self) -> bool:
        return self._woken.is_set()


async def ears(*notices: Notices, topic: str = "queue") -> list[Ear]:
    """An ear at each, that has heard what it was owed; all are connected."""
    for one in notices:
        if isinstance(one, RemoteNotices):
            async with asyncio.timeout(PATIENCE_S):
                await one.connected()
    listening = [Ear(one, topic) for one in notices]
    for ear in listening:
        await ear.wakes()
    return listening


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(params=["postgres", "redis"])
def remote(request: pytest.FixtureRequest) -> tuple[str, Server]:
    """A server that carries notices, which may be killed, and its URL."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return request.getfixturevalue(f"{request.param}_url"), server


@pytest.fixture(params=["memory", "postgres", "redis"])
async def pair(request: pytest.FixtureRequest, stack: AsyncExitStack) -> tuple[Notices, Notices]:
    """The notices of two gateways; of one alone, twice the same."""
    if request.param == "memory":
        alone = await stack.enter_async_context(open_notices("memory:"))
        return alone, alone
    url = request.getfixturevalue(f"{request.param}_url")
    one = await stack.enter_async_context(open_notices(url, CALM))
    return one, await stack.enter_async_context(open_notices(url, CALM))


async def test_what_is_told_wakes_all_who_listen_to_it(pair: tuple[Notices, Notices]) -> None:
    here, there = await ears(*pair)
    (other,) = await ears(pair[1], topic="other")
    await pair[0].publish("queue")
    await here.wakes()
    await there.wakes()
    assert not other.is_woken
    await pair[1].publish("queue")
    await here.wakes()
    await there.wakes()


async def test_the_first_wake_up_comes_by_itself(pair: tuple[Notices, Notices]) -> None:
    await Ear(pair[0], "never told").wakes()


async def test_who_stopped_listening_leaves_nothing_behind(pair: tuple[Notices, Notices]) -> None:
    listening = pair[0].listen("queue")
    await anext(listening)
    await listening.aclose()  # type: ignore[attr-defined]
    here = pair[0]._here if isinstance(pair[0], RemoteNotices) else pair[0]
    assert isinstance(here, MemoryNotices)
    assert not here._listening


async def test_more_topics_than_fit_one_message_all_arrive(pair: tuple[Notices, Notices]) -> None:
    topics = [f"session:{number:058}" for number in range(300)]
    listening = [ear for topic in topics for ear in await ears(pair[1], topic=topic)]
    for topic in topics:
        await pair[0].publish(topic)
    for ear in listening:
        await ear.wakes()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_server_that_comes_back_wakes_everybody(
    remote: tuple[str, Server], stack: AsyncExitStack, end: str
) -> None:
    url, server = remote
    pair = [await stack.enter_async_context(open_notices(url, WAITS)) for _ in "ab"]
    here, there = await ears(*pair)
    getattr(server, end)()
    await pair[0].publish("queue")
    await here.wakes()
    server.start()
    await there.wakes()
    await ears(*pair)
    await pair[1].publish("queue")
    await here.wakes()


@pytest.mark.parametrize("fault", ["reset", "silence"])
async def test_what_is_told_while_the_line_is_down_arrives_later(
    remote: tuple[str, Server], stack: AsyncExitStack, fault: str
) -> None:
    url, server = remote
    proxy = await stack.enter_async_context(FaultProxy(server.port).running())
    way_round = urlsplit(url)
    by_proxy = url.replace(f":{way_round.port}", f":{proxy.port}")
    cut = await stack.enter_async_context(open_notices(by_proxy, HASTY))
    whole = await stack.enter_async_context(open_notices(url, CALM))
    at_cut, at_whole = await ears(cut, whole)
    if fault == "reset":
        proxy.faults.is_refusing = True
        proxy.reset_all()
    else:
        proxy.faults.is_blackhole = True
    await cut.publish("queue")
    await at_cut.wakes()
    await whole.publish("queue")
    await at_whole.wakes()
    seen = proxy.connections
    async with asyncio.timeout(PATIENCE_S):
        await proxy.has_had(seen + 2)  # it tries again, and again
    assert not at_cut.is_woken
    assert not at_whole.is_woken
    proxy.faults.is_refusing = proxy.faults.is_blackhole = False
    await at_whole.wakes()
    await at_cut.wakes()


async def test_a_start_without_the_server_waits_for_nothing(
    remote: tuple[str, Server], stack: AsyncExitStack
) -> None:
    url, server = remote
    server.kill()
    notices = await stack.enter_async_context(open_notices(url, WAITS))
    await notices.publish("queue")
    ear = Ear(notices, "queue")
    await ear.wakes()
    server.start()
    await ear.wakes()


async def test_an_end_in_the_midst_of_connecting_is_an_end(redis_url: str) -> None:
    for turns in range(40):
        async with asyncio.timeout(PATIENCE_S), open_notices(redis_url, WAITS):
            for _ in range(turns):
                await asyncio.sleep(0)


async def test_too_much_to_tell_wakes_everybody(
    redis_url: str, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.adapters.notices_remote._MOST_WAITING", 3)
    pair = [await stack.enter_async_context(open_notices(redis_url, WAITS)) for _ in "ab"]
    (ear,) = await ears(pair[1], topic="not among them")
    await ears(pair[0])
    for number in range(5):
        await pair[0].publish(f"session:{number}")
    await ear.wakes()


async def test_deployments_in_other_databases_of_a_redis_hear_nothing(
    redis_url: str, stack: AsyncExitStack
) -> None:
    one = await stack.enter_async_context(open_notices(redis_url, CALM))
    same = await stack.enter_async_context(open_notices(redis_url, CALM))
    other = await stack.enter_async_context(open_notices(redis_url[:-1] + "1", CALM))
    at_same, at_other = await ears(same, other)
    await one.publish("queue")
    await at_same.wakes()
    assert not at_other.is_woken


@pytest.mark.parametrize("url", ["", "http://host", "sqlite:///file"])
async def test_another_url_stops_the_start(url: str) -> None:
    with pytest.raises(Misconfigured, match="VTON_NOTICES__URL"):
        async with open_notices(url):
            pass


def test_a_gateway_that_is_alone_imports_no_client() -> None:
    code = (
        "import gateway.adapters.notices, sys; print({'redis', 'asyncpg'} & {*sys.modules} or '')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


async def test_what_is_shown_is_seen_by_who_watches_and_the_latest_alone(
    pair: tuple[Notices, Notices],
) -> None:
    await ears(*pair)
    seen = pair[1].glimpses("glimpses:one")
    first = asyncio.ensure_future(anext(seen))
    other = asyncio.ensure_future(anext(pair[1].glimpses("glimpses:other")))
    await asyncio.sleep(0)
    await pair[0].show("glimpses:one", b"\x00\xff a picture\n")
    async with asyncio.timeout(PATIENCE_S):
        assert await first == b"\x00\xff a picture\n"
    for number in range(20):
        await pair[1].show("glimpses:one", b"%d" % number)
    assert await anext(seen) == b"19"
    assert not other.done()
    other.cancel()
    await seen.aclose()  # type: ignore[attr-defined]


async def test_what_is_too_large_to_pass_is_seen_here_and_harms_nobody(
    pair: tuple[Notices, Notices],
) -> None:
    here, there = await ears(*pair)
    seen = pair[0].glimpses("large")
    looking = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0)
    await pair[0].show("large", bytes(20_000))
    assert len(await looking) == 20_000
    await pair[0].publish("queue")
    await here.wakes()
    await there.wakes()
