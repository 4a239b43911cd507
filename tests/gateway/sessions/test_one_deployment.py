"""Two gateways on one database, one store and one Redis: nothing is in one's memory alone."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image

from gateway.app import create_app
from gateway.metrics import Metrics
from gateway.resources import Resources, open_resources
from gateway.settings.tree import Settings
from tests.gateway import pictures
from tests.gateway.running import CONFIGURATION
from tests.gateway.torchserve_stand_in import Fault, StandIn, serve

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
WAIT = MINE | {"Prefer": "wait=60"}
FILES = {
    "user_image": ("p.jpg", pictures.jpeg((96, 120), seed=1), "image/jpeg"),
    "garment_image": ("g.jpg", pictures.jpeg((96, 120), seed=2), "image/jpeg"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One that only accepts, one that runs, too, and what makes the pictures."""

    one: httpx.AsyncClient
    other: httpx.AsyncClient
    resources: tuple[Resources, Resources]
    torchserve: StandIn


@asynccontextmanager
async def opened(
    settings: Settings,
) -> AsyncIterator[tuple[httpx.AsyncClient, Resources]]:
    """A gateway of its own: nothing is given to it but its settings."""
    async with open_resources(settings, Metrics()) as resources:
        transport = httpx.ASGITransport(create_app(settings, resources))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client, resources


@pytest.fixture
async def pair(
    tmp_path: Path, postgres_url: str, redis_url: str, s3_url: str
) -> AsyncIterator[Pair]:
    (tmp_path / "geometric.yaml").write_text(CONFIGURATION["geometric.yaml"])
    stand_in = StandIn()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(stand_in.app()))
        told = {
            "storage": {"url": s3_url},
            "database": {"url": postgres_url},
            "notices": {"url": redis_url},
            "torchserve": {"inference_url": url, "management_url": url},
            "tryon": {"engines_dir": tmp_path},
        }
        quick = {"poll_s": 0.2, "beat_s": 0.2, "progress_s": 0.01, "retry_first_s": 0.01}
        accepts = Settings.model_validate(told | {"sessions": quick | {"is_running": False}})
        runs = Settings.model_validate(told | {"sessions": quick})
        one, first = await stack.enter_async_context(opened(accepts))
        other, second = await stack.enter_async_context(opened(runs))
        yield Pair(one, other, (first, second), stand_in)
        stand_in.stalled.set()


async def create(client: httpx.AsyncClient, headers: dict[str, str] = MINE) -> httpx.Response:
    return await client.post(PATH, headers=headers, files=FILES)


async def test_what_one_accepts_the_other_makes_and_both_give(pair: Pair) -> None:
    body = (await create(pair.one, WAIT)).json()
    assert body["state"] == "completed"
    for client in (pair.one, pair.other):
        told = (await client.get(body["urls"]["self"], headers=MINE)).json()
        assert told["state"] == "completed"
        for reader in (pair.one, pair.other):
            picture = await reader.get(told["items"][0]["result_urls"][0])
            assert Image.open(io.BytesIO(picture.content)).size == (768, 1024)
        listed = (await client.get(PATH, headers=MINE)).json()
        assert [one["session_id"] for one in listed["sessions"]] == [body["session_id"]]


async def test_a_request_that_is_repeated_elsewhere_is_known_there(pair: Pair) -> None:
    keyed = MINE | {"Idempotency-Key": "order-7"}
    answers = await asyncio.gather(
        *(create(client, keyed) for client in (pair.one, pair.other) for _ in range(3))
    )
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]


async def test_what_is_being_made_is_cancelled_from_elsewhere(pair: Pair) -> None:
    pair.torchserve.faults.append(Fault.SILENT)
    body = (await create(pair.one)).json()
    await pair.torchserve.was_asked.wait()
    ended = await pair.one.post(f"{body['urls']['self']}/cancel", headers=MINE)
    assert ended.json()["state"] == "cancelled"
    async with asyncio.timeout(60):
        while pair.resources[1].runner.running:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    told = (await pair.other.get(body["urls"]["self"], headers=MINE)).json()
    assert (told["state"], told["items"][0]["result_urls"]) == ("cancelled", [])


async def test_what_is_deleted_in_one_is_gone_in_the_other(pair: Pair) -> None:
    body = (await create(pair.other, WAIT)).json()
    link = body["items"][0]["result_urls"][0]
    assert (await pair.one.delete(body["urls"]["self"], headers=MINE)).is_success
    for client in (pair.one, pair.other):
        assert (await client.get(body["urls"]["self"], headers=MINE)).status_code == 404
        assert (await client.get(link)).status_code == 404


async def test_events_of_one_are_heard_in_the_other_and_resumed(pair: Pair) -> None:
    body = (await create(pair.one)).json()
    heard = await pair.one.get(body["urls"]["events"])
    assert heard.text.rstrip().splitlines()[-1].endswith('"state":"completed"}')
    numbers = [line for line in heard.text.splitlines() if line.startswith("id: ")]
    resumed = await pair.other.get(f"{PATH}/{body['session_id']}/events?after=1", headers=MINE)
    assert [line for line in resumed.text.splitlines() if line.startswith("id: ")] == numbers[1:]


async def test_an_upload_to_one_is_worn_in_the_other(pair: Pair) -> None:
    sent = await pair.one.post("/api/v1/uploads", files={"file": FILES["user_image"]})
    asked = {
        "user_image": {"upload_id": sent.json()["upload_id"]},
        "garment_image": {"upload_id": sent.json()["upload_id"]},
    }
    made = await pair.other.post(PATH, headers=WAIT, json=asked)
    assert made.json()["state"] == "completed"
