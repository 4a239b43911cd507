"""Properties 39, 41 and 42: answers that cost nothing, repeats, and compression."""

import asyncio
import statistics
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.app import create_app
from gateway.settings.tree import Settings
from tests.gateway.running import Gateway
from tests.gateway.torchserve_stand_in import serve

pytestmark = pytest.mark.anyio
for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

options = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(["upper_body", "lower_body", "dresses", "full_body"]),
        "output_format": st.sampled_from(["jpeg", "png", "webp"]),
        "width_px": st.sampled_from([512, 600]),
        "seed": st.integers(0, 3),
    },
)


@pytest.mark.prop(39)
async def test_health_answers_within_100_ms_while_a_check_hangs(gateway: Gateway) -> None:
    """The limit is the property's own: over a real socket, with the model server not answering."""
    gateway.torchserve.answers.clear()
    app = create_app(Settings(), gateway.resources)
    checking = asyncio.ensure_future(gateway.resources.health.check())
    took_s = []
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        for _ in range(21):
            started = time.perf_counter()
            assert (await client.get("/health")).status_code == 200
            took_s.append(time.perf_counter() - started)
    assert not checking.done()
    checking.cancel()
    gateway.torchserve.answers.set()
    assert statistics.median(took_s) < 0.1


@pytest.mark.prop(41)
@for_all
@given(asked=options)
async def test_a_repeat_within_the_hour_is_answered_from_store(
    gateway: Gateway, asked: dict[str, Any]
) -> None:
    gateway.clock.time_s += 3600  # whatever earlier examples asked is forgotten
    first = (await gateway.tryon(fields=asked)).json()
    inferences = len(gateway.torchserve.asked)
    gateway.clock.time_s += 3599
    again = (await gateway.tryon(fields=asked)).json()
    assert again["cached"] is True
    assert len(gateway.torchserve.asked) == inferences
    assert again["metadata"] == first["metadata"]
    picture = await gateway.client.get(again["result_url"])
    assert picture.status_code == 200


@pytest.mark.prop(41)
async def test_a_repeated_analysis_is_answered_from_store(gateway: Gateway) -> None:
    first = (await gateway.analyse()).json()
    gateway.clock.time_s += 3599
    again = (await gateway.analyse()).json()
    assert (first["cached"], again["cached"]) == (False, True)
    assert len(gateway.torchserve.asked) == 1
    assert again["keypoints"] == first["keypoints"]
    assert (await gateway.client.get(again["mask_url"])).status_code == 200
    gateway.clock.time_s += 1
    assert (await gateway.analyse()).json()["cached"] is False


@pytest.mark.prop(41)
async def test_after_the_hour_the_engine_is_asked_again(gateway: Gateway) -> None:
    await gateway.tryon()
    gateway.clock.time_s += 3600
    assert (await gateway.tryon()).json()["cached"] is False
    assert len(gateway.torchserve.asked) == 2


@pytest.mark.prop(42)
@for_all
@given(
    size=st.integers(0, 5000),
    accepted=st.sampled_from(["gzip", "br", "zstd", "gzip, deflate, br, zstd", "", "identity"]),
    media_type=st.sampled_from(
        ["application/json", "text/html; charset=utf-8", "image/jpeg", "image/png", "image/webp"]
    ),
)
async def test_answers_over_1_kb_are_compressed_and_images_are_not(
    gateway: Gateway, size: int, accepted: str, media_type: str
) -> None:
    async def answer(_: Request) -> Response:
        return Response(b"a" * size, media_type=media_type)

    app = create_app(Settings(), gateway.resources)
    app.router.routes.insert(0, Route("/answer", answer))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        got = await client.get("/answer", headers={"Accept-Encoding": accepted})
    is_due = size >= 1024 and accepted not in {"", "identity"} and "image" not in media_type
    assert ("content-encoding" in got.headers) is is_due
    assert got.content == b"a" * size
