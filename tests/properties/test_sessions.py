"""Properties 16, 35 and 41 for what is accepted now and made later."""

import io
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway import pictures
from tests.gateway.identity.crowd import pictures_of
from tests.gateway.logs import lines_of
from tests.gateway.running import Gateway, GoingClock, running_gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

SESSIONS: Final = "/api/v1/tryon/sessions"
BATCHES: Final = "/api/v1/tryon/batches"
MINE: Final = {"X-User-Token": "m" * 32, "Prefer": "wait=60"}
SEEDS: Final = count()
CATEGORIES: Final = ["upper_body", "lower_body", "dresses"]
QUICK: Final = {"poll_s": 0.05, "beat_s": 0.05, "progress_s": 0.01, "retry_first_s": 0.01}
LASTING: Final = [Fault.REFUSES, Fault.CRASHES]
"""What an item fails by at once; by what passes, it fails when nothing else comes, if ever."""
PASSING: Final = [
    Fault.OUT_OF_MEMORY,
    Fault.DIES_BEFORE,
    Fault.CUT,
    Fault.ENDS_EARLY,
    Fault.NO_WORKER,
]
MOST_CRASHES: Final = 2
"""Workers that one item may cost, as `torchserve.max_crashes` is set."""
faults = st.lists(st.sampled_from([Fault.NONE, *LASTING, *PASSING]), max_size=8)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path, sessions=QUICK) as running:
        yield running


@pytest.fixture
async def going(tmp_path: Path) -> AsyncIterator[Gateway]:
    """Where what is put off for a moment has its time."""
    async with running_gateway(tmp_path, sessions=QUICK, clock=GoingClock()) as running:
        yield running


async def session(gateway: Gateway, headers: dict[str, str], **fields: str) -> dict[str, Any]:
    files = pictures_of(gateway)
    answer = await gateway.client.post(SESSIONS, headers=headers, files=files, data=fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.mark.prop(16)
@settings(for_all, max_examples=100)
@given(
    people=st.integers(1, 2),
    categories=st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3),
    faults=faults,
)
async def test_of_any_batch_every_item_ends_with_a_result_or_its_own_error(
    going: Gateway, people: int, categories: list[str], faults: list[Fault]
) -> None:
    gateway = going
    gateway.torchserve.faults.clear()
    gateway.torchserve.faults.extend(faults)
    photos = [
        {"upload_id": (await gateway.upload(pictures.jpeg((96, 120), seed))).json()["upload_id"]}
        for seed in range(people + len(categories))
    ]
    worn = zip(photos[people:], categories, strict=True)
    body = {
        "people": [{"user_image": photo} for photo in photos[:people]],
        "garments": [{"garment_image": photo, "category": name} for photo, name in worn],
        "options": {"seed": next(SEEDS)},
    }
    told = (await gateway.client.post(BATCHES, headers=MINE, json=body)).json()
    items = told["items"]
    assert [(one["person"], one["garment"]) for one in items] == [
        (person, garment) for person in range(people) for garment in range(len(categories))
    ]
    for one in items:
        assert one["state"] == ("failed" if one["error"] else "completed")
        assert bool(one["result_urls"]) != bool(one["error"])
    failed = [one for one in items if one["error"]]
    assert told["state"] == ("failed" if len(failed) == len(items) else "completed")
    lasting = sum(fault in LASTING for fault in faults)
    crashes = sum(fault is not Fault.NONE for fault in faults) - lasting
    assert len(failed) <= lasting + crashes // MOST_CRASHES


def is_of_request(line: dict[str, Any]) -> bool:
    """Not of a loop of the gateway, which has its own name for its endpoint."""
    return str(line.get("endpoint", "")).startswith("/")


@pytest.mark.prop(35)
@for_all
@given(request_id=st.from_regex(r"[A-Za-z0-9._-]{8,64}", fullmatch=True))
async def test_a_session_is_made_under_the_id_of_the_request_that_asked_for_it(
    gateway: Gateway, log: io.StringIO, request_id: str
) -> None:
    log.seek(0)
    log.truncate()
    headers = MINE | {"X-Request-Id": request_id}
    made = await session(gateway, headers, seed=str(next(SEEDS)))
    assert made["state"] == "completed"
    assert gateway.torchserve.asked[-1]["request_id"] == request_id
    lines = [line for line in lines_of(log) if "item" in line or is_of_request(line)]
    assert {"request", "inference finished"} <= {line["message"] for line in lines}
    assert {line["request_id"] for line in lines} == {request_id}


@pytest.mark.prop(41)
async def test_a_session_repeated_within_the_hour_asks_no_engine(gateway: Gateway) -> None:
    first = await session(gateway, MINE)
    gateway.clock.time_s += 3599
    again = await session(gateway, MINE)
    assert [one["items"][0]["cached"] for one in (first, again)] == [False, True]
    assert len(gateway.torchserve.asked) == 1
    picture = await gateway.client.get(again["items"][0]["result_urls"][0])
    assert picture.headers["content-type"] == "image/jpeg"
    gateway.clock.time_s += 1
    assert (await session(gateway, MINE))["items"][0]["cached"] is False
