import asyncio
from dataclasses import replace

import httpx
import pytest

from gateway.domain.jobs import Progress, Readiness
from gateway.errors.kinds import (
    Busy,
    GatewayError,
    InferenceFailed,
    ModelNotLoaded,
    OutOfMemory,
    TimedOut,
    Unfit,
)
from tests.gateway.loop_time import let_pass
from tests.gateway.torchserve_pair import JOB, PATIENCE, RETRIES, Pair, hosts
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio


async def test_an_inference_gives_its_image_metadata_and_progress(pair: Pair) -> None:
    seen: list[Progress] = []
    prediction = await pair.adapter.predict(JOB, seen.append)
    assert prediction.images[0].startswith(b"\xff\xd8\xff")
    assert prediction.metadata["engine"] == "geometric"
    assert seen == [Progress("segmentation", 1, 4)]
    assert pair.server.asked[0]["request_id"] == JOB.request_id
    assert pair.server.asked[0]["person_image"] == JOB.images["person_image"]


async def test_an_answer_is_there_before_its_stream_ends(pair: Pair) -> None:
    pair.server.ends.clear()
    assert (await pair.adapter.predict(JOB)).images
    pair.server.faults.append(Fault.REFUSES)
    with pytest.raises(Unfit):
        await pair.adapter.predict(JOB)


async def test_a_stream_read_to_its_end_leaves_its_connection_to_the_next(pair: Pair) -> None:
    pair.server.ends.clear()
    await pair.adapter.predict(JOB)
    pair.server.ends.set()
    await pair.adapter.idle()
    await pair.adapter.predict(JOB)
    assert len(set(pair.server.caller_ports)) == 1


async def test_a_stream_that_does_not_end_is_let_go(pair: Pair) -> None:
    pair.server.ends.clear()
    await pair.adapter.predict(JOB)
    ending = asyncio.ensure_future(pair.adapter.idle())
    await asyncio.sleep(0)  # it is being read
    let_pass(PATIENCE.stall_s)
    await ending
    await pair.adapter.predict(JOB)
    assert len(set(pair.server.caller_ports)) == 2


async def test_a_version_is_asked_for_by_path(pair: Pair) -> None:
    prediction = await pair.adapter.predict(replace(JOB, version="1.0"))
    assert prediction.metadata["model_version"] == "1.0"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.CUT, "cut_stream"),
        (Fault.ENDS_EARLY, "cut_stream"),
        (Fault.GARBAGE, "cut_stream"),
        (Fault.DIES_BEFORE, "worker_died"),
        (Fault.NO_WORKER, "no_worker"),
        (Fault.OUT_OF_MEMORY, "worker_asked"),
    ],
)
async def test_what_gave_no_answer_is_asked_again(pair: Pair, fault: Fault, reason: str) -> None:
    pair.server.faults.append(fault)
    assert (await pair.adapter.predict(JOB)).images
    assert pair.retries == [reason]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.CUT, InferenceFailed),
        (Fault.DIES_BEFORE, InferenceFailed),
        (Fault.OUT_OF_MEMORY, OutOfMemory),
    ],
)
async def test_a_request_may_cost_two_workers_and_no_more(
    pair: Pair, fault: Fault, error: type[GatewayError]
) -> None:
    pair.server.faults.extend([fault] * 5)
    with pytest.raises(error):
        await pair.adapter.predict(JOB)
    assert len(pair.server.asked) == 2


async def test_a_full_queue_is_tried_until_there_is_room(pair: Pair) -> None:
    pair.server.faults.extend([Fault.NO_WORKER] * 12)
    assert (await pair.adapter.predict(JOB)).images
    assert len(pair.server.asked) == 13


async def test_a_queue_full_until_the_deadline_means_busy(pair: Pair) -> None:
    pair.server.faults.extend([Fault.NO_WORKER] * 10_000)
    task = asyncio.ensure_future(pair.adapter.predict(JOB))
    while not pair.retries:  # noqa: ASYNC110  what hears of retries wakes nobody
        await asyncio.sleep(0)
    let_pass(PATIENCE.deadline_s)
    with pytest.raises(Busy):
        await task


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.REFUSES, Unfit), (Fault.CRASHES, InferenceFailed)]
)
async def test_an_answer_that_is_an_error_is_not_asked_again(
    pair: Pair, fault: Fault, error: type[GatewayError]
) -> None:
    pair.server.faults.append(fault)
    with pytest.raises(error):
        await pair.adapter.predict(JOB)
    assert len(pair.server.asked) == 1


async def test_an_error_shows_nothing_internal(pair: Pair) -> None:
    pair.server.faults.append(Fault.LEAKS)
    with pytest.raises(InferenceFailed) as caught:
        await pair.adapter.predict(JOB)
    assert caught.value.message == InferenceFailed.default_message
    assert caught.value.details == {"stage": "pose"}


async def test_a_stream_that_stalls_times_out(pair: Pair) -> None:
    pair.server.faults.append(Fault.STALLS)
    with pytest.raises(TimedOut):
        await pair.with_patience(stall_s=0.1).predict(JOB)


async def test_the_deadline_holds(pair: Pair) -> None:
    pair.server.delay_s = 30
    with pytest.raises(TimedOut):
        await pair.with_patience(deadline_s=0.1, stall_s=60).predict(JOB)


async def test_a_loading_model_is_waited_for_before_it_is_asked(pair: Pair) -> None:
    pair.server.is_ready = False
    with pytest.raises(ModelNotLoaded):
        await pair.with_patience(recovery_s=0.1).predict(JOB)
    assert pair.server.asked == []


async def test_a_retry_waits_until_a_worker_is_ready(pair: Pair) -> None:
    await pair.adapter.refresh()
    pair.server.was_looked_at.clear()
    pair.server.faults.append(Fault.DIES_BEFORE)
    pair.server.is_ready = False
    task = asyncio.ensure_future(pair.adapter.predict(JOB))
    await pair.server.was_looked_at.wait()
    assert len(pair.server.asked) == 1
    pair.server.is_ready = True
    assert (await task).images


async def test_without_a_worker_in_time_the_model_is_not_loaded(pair: Pair) -> None:
    pair.server.faults.append(Fault.NO_WORKER)
    pair.server.is_ready = False
    with pytest.raises(ModelNotLoaded):
        await pair.with_patience(recovery_s=0.1).predict(JOB)


async def test_a_model_may_take_its_own_time_to_come_back(pair: Pair) -> None:
    pair.server.faults.append(Fault.NO_WORKER)
    pair.server.is_ready = False
    patient = replace(PATIENCE, recovery_s=60.0)
    retries = replace(RETRIES, recovery_s=0.001)
    adapter = hosts([pair.clients], pair.retries, {"geometric": patient}, retries)
    task = asyncio.ensure_future(adapter.predict(JOB))
    await pair.server.was_looked_at.wait()
    pair.server.is_ready = True
    assert (await task).images


async def test_an_unknown_model_is_not_loaded(pair: Pair) -> None:
    pair.server.is_registered = False
    with pytest.raises(ModelNotLoaded):
        await pair.adapter.predict(JOB)
    await pair.adapter.refresh()
    assert pair.adapter.state("geometric").readiness is Readiness.MISSING


async def test_a_server_that_is_away_is_not_loaded(pair: Pair) -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as nobody:
        retries = replace(RETRIES, recovery_s=0.1)
        adapter = hosts([(nobody, nobody)], pair.retries, retries=retries)
        with pytest.raises(ModelNotLoaded):
            await adapter.predict(JOB)
        await adapter.refresh()
        assert adapter.state("geometric").readiness is Readiness.UNREACHABLE
    assert pair.retries == []


async def test_the_state_tells_version_workers_and_memory(pair: Pair) -> None:
    await pair.adapter.refresh()
    state = pair.adapter.state("geometric")
    assert (state.readiness, state.version) == (Readiness.READY, "1.0")
    assert (state.ready_workers, state.workers) == (1, 1)
    assert state.memory_bytes == 400_000_000
    assert state.ready_pids == {pair.server.pid}
    assert state.batch_size == 4


async def test_a_frame_over_the_limit_is_refused(pair: Pair) -> None:
    adapter = hosts([pair.clients], pair.retries, max_frame_bytes=1000)
    with pytest.raises(InferenceFailed):
        await adapter.predict(JOB)
