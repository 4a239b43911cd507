import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gateway.adapters.torchserve_waiting import WaitingLine
from gateway.domain.jobs import Readiness
from gateway.errors.kinds import TimedOut
from tests.gateway.loop_time import let_pass
from tests.gateway.torchserve_pair import JOB, PATIENCE, Pair
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio


async def test_a_request_that_nothing_comes_of_is_asked_again(pair: Pair) -> None:
    pair.server.faults.append(Fault.SILENT)
    task = asyncio.ensure_future(pair.adapter.predict(JOB))
    await _until_asked(pair, 1)
    let_pass(PATIENCE.first_frame_s)
    assert (await task).images
    assert pair.retries == ["no_frame"]


async def test_a_request_that_nothing_ever_comes_of_times_out(pair: Pair) -> None:
    pair.server.faults.extend([Fault.SILENT] * 5)
    task = asyncio.ensure_future(pair.adapter.predict(JOB))
    for attempt in (1, 2):
        await _until_asked(pair, attempt)
        let_pass(PATIENCE.first_frame_s)
    with pytest.raises(TimedOut):
        await task
    assert len(pair.server.asked) == 2


async def test_a_batch_that_died_with_its_worker_is_asked_again(pair: Pair) -> None:
    pair.server.faults.extend([Fault.SILENT] * 6)
    await pair.adapter.refresh()  # or each would look first, and stand in line as it is told
    waiting = [asyncio.ensure_future(pair.adapter.predict(JOB)) for _ in range(6)]
    await _until_asked(pair, 6)
    pair.server.pid += 1
    await pair.adapter.refresh()
    for done in asyncio.as_completed(waiting[:4]):
        assert (await done).images
    assert pair.retries == ["worker_replaced"] * 4
    assert not any(later.done() for later in waiting[4:]), "a batch is four; these wait in line"
    pair.server.stalled.set()
    assert all(prediction.images for prediction in await asyncio.gather(*waiting[4:]))
    assert len(pair.server.asked) == 10


async def test_a_batch_is_not_waited_for_while_its_worker_starts_anew(pair: Pair) -> None:
    pair.server.faults.append(Fault.SILENT)
    task = asyncio.ensure_future(pair.adapter.predict(JOB))
    await _until_asked(pair, 1)
    pair.server.is_ready = False
    await pair.adapter.refresh()
    pair.server.is_ready = True
    assert (await task).images
    assert pair.retries == ["worker_replaced"]


async def test_a_request_under_way_is_left_alone(pair: Pair) -> None:
    seen = asyncio.Event()
    pair.server.faults.append(Fault.STALLS)
    task = asyncio.ensure_future(pair.adapter.predict(JOB, lambda _: seen.set()))
    await seen.wait()
    pair.server.pid += 1
    await pair.adapter.refresh()
    pair.server.stalled.set()
    assert (await task).images
    assert pair.retries == []


async def test_a_look_that_fails_replaces_no_worker(pair: Pair) -> None:
    pair.server.faults.append(Fault.SILENT)
    task = asyncio.ensure_future(pair.adapter.predict(JOB))
    await _until_asked(pair, 1)
    pair.server.is_broken = True
    await pair.adapter.refresh()
    assert pair.adapter.state("geometric").readiness is Readiness.UNREACHABLE
    pair.server.is_broken = False
    await pair.adapter.refresh()
    pair.server.stalled.set()
    assert (await task).images
    assert pair.retries == []


async def _until_asked(pair: Pair, times: int) -> None:
    while len(pair.server.asked) < times:
        pair.server.was_asked.clear()
        await pair.server.was_asked.wait()


async def test_a_line_that_moves_renews_the_patience_of_those_behind() -> None:
    line = WaitingLine(first_frame_s=30, stall_s=20)
    async with AsyncExitStack() as stack:
        waits = [await stack.enter_async_context(line.join()) for _ in range(3)]
        before = [wait.until for wait in waits]
        await asyncio.sleep(0)
        assert [chunk async for chunk in line.served(waits[1], _one_chunk())] == [b"P"]
        assert waits[0].until == before[0], "overtaken: its time runs on"
        assert waits[1].until < before[1], "served: from now on only a stall is waited for"
        assert waits[2].until > before[2]


async def _one_chunk() -> AsyncIterator[bytes]:
    yield b"P"
