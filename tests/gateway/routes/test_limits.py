"""How often somebody may ask, as he sees it."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.domain.limits import HEADERS
from gateway.settings.tree import Settings
from tests.gateway.logs import lines_of
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.servers.redis_server import RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_token_comes_back")]

USUAL = {
    "inference_per_min": 10,
    "read_per_min": 100,
    "write_per_min": 60,
    "anonymous_per_min": 20,
    "open_sessions": 32,
}
RARE = {"anonymous_per_min": 1, "timeout_s": HANGS_S}
"""Twice at once, then once a minute: Redis has a clock of its own, and no test takes so long."""
PROXY = "10.0.0.1"


@dataclass
class Door:
    """A gateway with limits, behind a proxy that says who asks."""

    gateway: Gateway

    async def get(
        self, address: str, path: str = "/api/v1/models", **headers: str
    ) -> httpx.Response:
        told = {"X-Forwarded-For": address, **headers}
        return await self.gateway.client.get(path, headers=told)

    async def many(self, address: str, requests: int) -> Sequence[httpx.Response]:
        return await asyncio.gather(*(self.get(address) for _ in range(requests)))

    def violations(self, limit: str) -> float | None:
        registry = self.gateway.resources.metrics.registry
        return registry.get_sample_value("vton_rate_limit_violations_total", {"limit": limit})


@asynccontextmanager
async def opened(folder: Path, **limits: Any) -> AsyncIterator[Door]:  # noqa: ANN401
    proxies = {"networks": [f"{PROXY}/32"]}
    async with running_gateway(folder, limits=USUAL | limits, proxies=proxies) as gateway:
        app = create_app(gateway.resources.settings, gateway.resources)
        transport = httpx.ASGITransport(app, client=(PROXY, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            gateway.client = client
            yield Door(gateway)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as opening:
        yield opening


@pytest.mark.prop(10)
async def test_of_sixty_at_once_the_burst_passes_and_the_rest_is_told_when_to_come_back(
    door: Door,
) -> None:
    answers = await door.many("192.0.2.7", 60)
    over = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers].count(200) == 40
    assert len(over) == 20
    for answer in answers:
        assert set(HEADERS) <= set(map(str, _as_sent(answer)))
        assert answer.headers["X-RateLimit-Limit"] == "40"
        assert answer.headers["RateLimit-Policy"] == '"anonymous";q=40;w=120'
    for answer in over:
        assert answer.json()["error_code"] == "RATE_3001"
        assert answer.json()["details"]["limit"] == "anonymous"
        assert 1 <= int(answer.headers["Retry-After"]) <= 3
        assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert door.violations("anonymous") == 20
    assert (await door.get("192.0.2.8")).status_code == 200


def _as_sent(answer: httpx.Response) -> list[str]:
    """The headers' names by their known spelling."""
    return [name for name in HEADERS if name in answer.headers]


@pytest.mark.prop(11)
@pytest.mark.prop(12)
async def test_each_kind_of_request_has_its_own_rate(tmp_path: Path) -> None:
    async with opened(tmp_path, anonymous_per_min=1000) as door:
        statuses = []
        for _ in range(21):
            told = {"X-Forwarded-For": "192.0.2.7"}
            answer = await door.gateway.tryon(headers=told)
            statuses.append(answer.status_code)
        assert statuses == [200] * 20 + [429]
        assert answer.json()["details"] == {
            "limit": "inference",
            "per_min": 10,
            "retry_after_s": answer.json()["details"]["retry_after_s"],
        }
        read = await door.get("192.0.2.7")
        assert read.status_code == 200
        assert read.headers["RateLimit-Policy"] == '"anonymous";q=2000;w=120'


async def test_what_is_refused_for_another_reason_tells_the_limits_as_well(door: Door) -> None:
    told = {"X-Forwarded-For": "192.0.2.7"}
    broken = await door.gateway.client.post(
        "/api/v1/process-tryon", content=b"{", headers={**told, "Content-Type": "application/json"}
    )
    assert broken.status_code == 400
    assert broken.headers["X-RateLimit-Remaining"] == "19"
    missing = await door.get("192.0.2.7", "/api/v1/tryon/sessions/none")
    assert missing.status_code == 404
    assert missing.headers["X-RateLimit-Remaining"] == "38"


async def test_wrong_tokens_count_for_the_address_that_tries_them(door: Door) -> None:
    tries = [
        await door.get("192.0.2.7", Authorization=f"Bearer guess-{number}") for number in range(41)
    ]
    assert [answer.status_code for answer in tries] == [401] * 40 + [429]
    assert tries[0].headers["X-RateLimit-Remaining"] == "39"


async def test_who_is_asked_for_nothing_is_not_counted(door: Door) -> None:
    for path in ("/health/live", "/metrics", "/", "/docs"):
        answer = await door.get("192.0.2.7", path)
        assert answer.status_code == 200
        assert not _as_sent(answer)


async def test_nobody_chooses_his_own_address(door: Door, tmp_path: Path) -> None:
    await door.many("192.0.2.7", 40)
    for claimed in ("198.51.100.1, 192.0.2.7", "10.0.0.9,192.0.2.7", "x, 192.0.2.7:80"):
        assert (await door.get(claimed)).status_code == 429
    async with running_gateway(_folder(tmp_path), limits=USUAL) as direct:
        answers = [
            await direct.client.get(
                "/api/v1/models",
                headers={
                    "X-Forwarded-For": f"192.0.2.{number}",
                    "Forwarded": f"for=192.0.2.{number}",
                },
            )
            for number in range(41)
        ]
    assert [answer.status_code for answer in answers] == [200] * 40 + [429]


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "another"
    folder.mkdir()
    return folder


async def test_a_fresh_name_brings_no_fresh_tokens(door: Door) -> None:
    answers = [
        await door.get("192.0.2.7", **{"X-User-Token": f"{number:022}"}) for number in range(41)
    ]
    assert [answer.status_code for answer in answers] == [200] * 40 + [429]


@pytest.mark.prop(13)
async def test_each_violation_is_written_down_with_who_where_and_when(
    door: Door, log: io.StringIO
) -> None:
    await door.many("192.0.2.7", 70)
    lines = lines_of(log)
    told = [line for line in lines if line["message"] == "limit exceeded"]
    assert len(told) == 30
    for line in told:
        assert line["address"] == "192.0.2.7"
        assert line["endpoint"] == "/api/v1/models"
        assert line["user_id"].startswith("address:")
        assert line["timestamp"]
        assert line["request_id"]
    audited = [line for line in lines if line.get("audit") == "limit.exceeded"]
    assert 0 < len(audited) < 30
    assert audited[0]["detail"] == {"endpoint": "/api/v1/models"}


async def test_a_batch_counts_as_what_it_holds(tmp_path: Path) -> None:
    async with opened(tmp_path, anonymous_per_min=1000) as door:
        picture = {"upload_id": (await _upload(door)).json()["upload_id"]}

        async def batch(people: int, garments: int) -> httpx.Response:
            body = {
                "people": [{"user_image": picture}] * people,
                "garments": [{"garment_image": picture}] * garments,
            }
            return await door.gateway.client.post(
                "/api/v1/tryon/batches", json=body, headers={"X-Forwarded-For": "192.0.2.7"}
            )

        too_many = await batch(3, 7)
        assert too_many.status_code == 422
        assert too_many.json()["details"]["fields"][0]["field"] == "garments"
        made = await batch(3, 4)
        assert made.status_code == 201
        assert made.headers["X-RateLimit-Remaining"] == "7"
        assert (await batch(2, 4)).status_code == 429


async def test_a_repeat_of_a_batch_makes_nothing_and_counts_as_one_request(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        picture = {"upload_id": (await _upload(door)).json()["upload_id"]}
        body = {"people": [{"user_image": picture}], "garments": [{"garment_image": picture}] * 12}
        headers = {"X-User-Token": "m" * 32, "Idempotency-Key": "order-7"}
        path, client = "/api/v1/tryon/batches", door.gateway.client
        answers = [await client.post(path, json=body, headers=headers) for _ in range(3)]
        assert [one.status_code for one in answers] == [201, 200, 200]
        left = [int(one.headers["X-RateLimit-Remaining"]) for one in answers]
        assert left == [left[0], left[0] - 1, left[0] - 2]


async def _upload(door: Door) -> httpx.Response:
    photo = ("photo.jpg", door.gateway.person, "image/jpeg")
    return await door.gateway.client.post(
        "/api/v1/uploads", files={"file": photo}, headers={"X-Forwarded-For": "192.0.2.9"}
    )


async def test_two_gateways_count_together(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> None:
    one_folder, other_folder = (tmp_path_factory.mktemp(name) for name in ("one", "other"))
    shared = {"url": redis_url, **RARE}
    async with (
        opened(one_folder, **shared) as one,
        opened(other_folder, **shared) as other,
    ):
        both = await asyncio.gather(one.many("192.0.2.7", 30), other.many("192.0.2.7", 30))
        answers = [answer for answers in both for answer in answers]
        assert [answer.status_code for answer in answers].count(200) == 2


async def test_a_redis_that_dies_is_counted_and_shown_and_opens_nothing(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with AsyncExitStack() as stack:
        shared = {"url": f"{redis_server.url[:-1]}9", **RARE}
        door = await stack.enter_async_context(opened(tmp_path, **shared))
        assert [a.status_code for a in await door.many("192.0.2.7", 50)].count(200) == 2
        redis_server.kill()
        assert [a.status_code for a in await door.many("192.0.2.7", 50)].count(200) == 0
        assert [a.status_code for a in await door.many("192.0.2.8", 50)].count(200) == 2
        metrics = door.gateway.resources.metrics.registry
        assert metrics.get_sample_value("vton_limits_alone_total") == 100
        assert metrics.get_sample_value("vton_circuit_state", {"service": "limits"}) == 2
        redis_server.start()
        door.gateway.clock.time_s += 3
        assert (await door.get("192.0.2.9")).status_code == 200
        assert metrics.get_sample_value("vton_circuit_state", {"service": "limits"}) == 0
        assert metrics.get_sample_value("vton_limits_alone_total") == 100


async def test_a_network_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="networks"):
        Settings.model_validate({"proxies": {"networks": ["10.0.0.1/8"]}})


async def test_the_document_says_where_it_is_too_often(door: Door) -> None:
    document = (await door.get("192.0.2.7", "/openapi.json")).json()
    paths = document["paths"]
    assert "429" in paths["/api/v1/process-tryon"]["post"]["responses"]
    assert "429" not in paths["/health"]["get"]["responses"]


async def test_so_many_sessions_of_one_owner_may_be_open(tmp_path: Path) -> None:
    few, nobody = {"open_sessions": 2}, {"is_running": False}
    async with running_gateway(tmp_path, limits=few, sessions=nobody) as gateway:
        photo = ("photo.jpg", gateway.person, "image/jpeg")
        files = {"user_image": photo, "garment_image": photo}

        async def create(token: str) -> httpx.Response:
            told = {"X-User-Token": token * 22}
            return await gateway.client.post("/api/v1/tryon/sessions", files=files, headers=told)

        made = [await create("a") for _ in range(3)]
        assert [answer.status_code for answer in made] == [201, 201, 429]
        assert made[2].json()["error_code"] == "RATE_3003"
        assert made[2].json()["details"] == {"open_sessions": 2}
        assert made[2].headers["Retry-After"] == "5"
        assert (await create("b")).status_code == 201
        url = made[0].headers["Location"]
        await gateway.client.post(f"{url}/cancel", headers={"X-User-Token": "a" * 22})
        assert (await create("a")).status_code == 201
