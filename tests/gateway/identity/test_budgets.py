"""A budget of GPU seconds: what it is charged, when it is spent, and what it never stops."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import pictures
from tests.gateway.running import Gateway, running_gateway
from tests.gateway.steps_stand_in import stepping_gateway
from tests.gateway.torchserve_stand_in import Fault, StandIn

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": "Bearer the-administrator"}
COST_S = 0.035
"""Of a try-on by the stand-in: its stages take 10, 5 and 20 ms."""


@dataclass
class Shop:
    """A gateway, and a server that has a key with a budget."""

    gateway: Gateway
    key: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key['key']}"}

    async def tryon(self, seed: int) -> httpx.Response:
        """A try-on that nobody asked for before."""
        return await self.gateway.tryon(headers=self.headers, fields={"seed": seed})

    async def session(self, seed: int, wait_s: int = 30) -> httpx.Response:
        photo = ("photo.jpg", self.gateway.person, "image/jpeg")
        return await self.gateway.client.post(
            "/api/v1/tryon/sessions",
            files={"user_image": photo, "garment_image": photo},
            data={"seed": str(seed)},
            headers={**self.headers, "Prefer": f"wait={wait_s}"},
        )

    async def told(self) -> dict[str, Any]:
        """The key, as its owner sees it."""
        keys = (await self.gateway.client.get("/api/v1/keys", headers=ADMIN)).json()["keys"]
        return next(one for one in keys if one["key_id"] == self.key["key_id"])

    async def spent_s(self) -> float:
        return float((await self.told())["gpu_s_today"])


@asynccontextmanager
async def shop(folder: Path, gpu_s: float | None, **sections: Any) -> AsyncIterator[Shop]:  # noqa: ANN401
    async with running_gateway(folder, admin={"token": "the-administrator"}, **sections) as gateway:
        body = {"name": "shop", "limits": {"gpu_s_per_day": gpu_s}}
        made = await gateway.client.post("/api/v1/keys", headers=ADMIN, json=body)
        assert made.status_code == 201
        yield Shop(gateway, made.json())


async def test_a_budget_is_spent_by_what_is_made_and_comes_back_tomorrow(tmp_path: Path) -> None:
    async with shop(tmp_path, 2 * COST_S) as place:
        first, second, third = [await place.tryon(seed) for seed in (1, 2, 3)]
        assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
        assert third.json()["error_code"] == "RATE_3004"
        left_s = 86_400 - place.gateway.clock.now() % 86_400
        assert int(third.headers["Retry-After"]) == third.json()["details"]["retry_after_s"]
        assert 0 <= int(third.headers["Retry-After"]) - left_s < 1
        assert third.headers["X-RateLimit-Remaining"] == "0"
        assert len(place.gateway.torchserve.asked) == 2
        assert ((await place.told())["gpu_s_today"], (await place.told())["gpu_s_left"]) == (
            0.07,
            0,
        )
        place.gateway.clock.time_s += left_s
        assert (await place.tryon(3)).status_code == 200
        assert await place.spent_s() == COST_S


async def test_answers_say_what_is_left(tmp_path: Path) -> None:
    async with shop(tmp_path, 600) as place:
        answer = await place.tryon(1)
        assert '"gpu_seconds";q=600;w=86400' in answer.headers["RateLimit-Policy"]
        assert '"gpu_seconds";r=600;t=' in answer.headers["RateLimit"]
        assert '"gpu_seconds";r=599;t=' in (await place.tryon(2)).headers["RateLimit"]
        assert (await place.told())["gpu_s_left"] == 600 - 2 * COST_S


async def test_what_is_reused_costs_nothing(tmp_path: Path) -> None:
    stand_in = StandIn(delay_s=0.05)
    async with shop(tmp_path, 600, stand_in=stand_in) as place:
        answers = [*await asyncio.gather(place.tryon(1), place.tryon(1)), await place.tryon(1)]
        assert sorted(answer.json()["cached"] for answer in answers) == [False, True, True]
        assert await place.spent_s() == COST_S


async def test_each_item_of_a_session_is_charged_to_the_key_that_made_it(tmp_path: Path) -> None:
    async with shop(tmp_path, COST_S / 2) as place:
        photos = [(await _upload(place, seed)).json()["upload_id"] for seed in (1, 2)]
        body = {
            "people": [{"user_image": {"upload_id": photos[0]}}],
            "garments": [{"garment_image": {"upload_id": photo}} for photo in photos],
        }
        waiting = {**place.headers, "Prefer": "wait=30"}
        made = await place.gateway.client.post("/api/v1/tryon/batches", json=body, headers=waiting)
        assert (made.status_code, made.json()["state"]) == (201, "completed")
        assert await place.spent_s() == 2 * COST_S
        assert (await place.session(1)).status_code == 429
        assert (await place.tryon(1)).status_code == 429


async def _upload(place: Shop, seed: int = 1) -> httpx.Response:
    photo = ("photo.jpg", pictures.jpeg((96, 120), seed=seed), "image/jpeg")
    return await place.gateway.client.post(
        "/api/v1/uploads", files={"file": photo}, headers=place.headers
    )


async def test_what_was_accepted_ends_well_when_the_budget_is_spent_meanwhile(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, COST_S) as place:
        gateway = place.gateway
        gateway.torchserve.faults.extend([Fault.SILENT] * 2)
        both = [await place.session(seed, wait_s=0) for seed in (1, 2)]
        assert [one.status_code for one in both] == [201, 201]
        gateway.torchserve.stalled.set()
        for one in both:
            session_id, owner = one.json()["session_id"], place.key["owner"]
            ended = await gateway.resources.sessions.wait(session_id, owner, 30)
            assert ended.state == "completed"
        assert await place.spent_s() == 2 * COST_S
        assert (await place.tryon(3)).status_code == 429


async def test_what_fails_costs_nothing_and_what_asks_no_engine_is_open(tmp_path: Path) -> None:
    async with shop(tmp_path, COST_S) as place:
        assert (await place.gateway.tryon(b"no picture", headers=place.headers)).status_code == 400
        assert await place.spent_s() == 0
        assert (await place.tryon(1)).status_code == 200
        client = place.gateway.client
        assert (await client.get("/api/v1/models", headers=place.headers)).status_code == 200
        assert (await _upload(place)).status_code == 201
        for path in ("/api/v1/process-tryon", "/api/v1/person/analyse", "/api/v1/tryon/batches"):
            refused = await client.post(path, headers=place.headers)
            assert refused.json()["error_code"] == "RATE_3004"


async def test_a_look_at_a_new_garment_is_charged(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path, admin={"token": "the-administrator"}) as (gateway, _):
        limits = {"gpu_s_per_day": 0.04}
        body = {"name": "shop", "scopes": ["catalogue"], "limits": limits}
        key = (await gateway.client.post("/api/v1/keys", headers=ADMIN, json=body)).json()
        place = Shop(gateway, key)
        statuses = []
        for _ in range(2):
            answer = await gateway.client.post(
                "/api/v1/garments",
                files={"garment_image": ("dress.jpg", gateway.garment, "image/jpeg")},
                data={"category": "dresses"},
                headers=place.headers,
            )
            statuses.append(answer.status_code)
        assert statuses == [201, 429]
        assert await place.spent_s() == 0.04


async def test_a_key_without_a_budget_is_counted_and_never_stopped(tmp_path: Path) -> None:
    async with shop(tmp_path, None) as place:
        answers = [await place.tryon(seed) for seed in range(3)]
        assert {answer.status_code for answer in answers} == {200}
        assert "gpu_seconds" not in answers[-1].headers["RateLimit"]
        told = await place.told()
        assert (told["gpu_s_today"], told["gpu_s_left"]) == (0.105, None)


@pytest.mark.prop(13)
async def test_a_spent_budget_is_counted_and_written_down(tmp_path: Path) -> None:
    async with shop(tmp_path, COST_S) as place:
        for seed in (1, 2):
            await place.tryon(seed)
        registry = place.gateway.resources.metrics.registry
        told = {"limit": "gpu_seconds"}
        assert registry.get_sample_value("vton_rate_limit_violations_total", told) == 1
    with sqlite3.connect(tmp_path / "sessions.sqlite") as database:
        query = "SELECT event, caller, reason FROM audit_events WHERE event = 'limit.exceeded'"
        assert database.execute(query).fetchall() == [
            ("limit.exceeded", place.key["owner"], "gpu_seconds")
        ]
