"""Sessions fall back as direct calls do, after they have waited for a worker that restarts."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.anyio

ORDER = {"fallback": "diffusion,geometric"}
QUICK = {"poll_s": 0.05, "beat_s": 0.05, "progress_s": 0.01, "retry_first_s": 0.01}
PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
WAIT = {"Prefer": "wait=20"}
DIFFUSION = {"engine": "diffusion", "category": "upper_body"}
GEOMETRIC = {"engine": "geometric", "category": "upper_body"}


async def create(gateway: Gateway, fields: dict[str, str], **headers: str) -> httpx.Response:
    files = {
        "user_image": ("p.jpg", gateway.person, "image/jpeg"),
        "garment_image": ("g.jpg", gateway.garment, "image/jpeg"),
    }
    asked: dict[str, Any] = {"files": files, "data": fields, "headers": MINE | headers}
    return await gateway.client.post(PATH, **asked)


async def ended(gateway: Gateway, session_id: str) -> Any:  # noqa: ANN401
    answer = await gateway.client.get(f"{PATH}/{session_id}", headers=MINE)
    async with gateway.client.stream("GET", f"{PATH}/{session_id}/events", headers=MINE) as events:
        async for _ in events.aiter_raw():
            pass
    answer = await gateway.client.get(f"{PATH}/{session_id}", headers=MINE)
    return answer.json()


async def test_one_whose_engine_is_not_deployed_is_made_by_the_next(tmp_path: Path) -> None:
    quick = QUICK | {"fallback_after_s": 0}
    async with running_gateway(tmp_path, tryon=ORDER, sessions=quick) as gateway:
        gateway.torchserve.not_deployed.add("diffusion")
        await gateway.resources.models.refresh()
        answer = await create(gateway, DIFFUSION, **WAIT)
        told = answer.json()
        assert (answer.status_code, told["state"], told["engine"]) == (
            201, "completed", "diffusion",
        )  # fmt: skip
        item = told["items"][0]
        assert item["engine"] == "geometric"
        assert item["metadata"]["fallback_from"] == {
            "engine": "diffusion",
            "reason": "not_deployed",
        }


async def test_what_no_deployed_engine_honours_is_refused(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon=ORDER, sessions=QUICK) as gateway:
        gateway.torchserve.not_deployed.add("diffusion")
        await gateway.resources.models.refresh()
        answer = await create(gateway, DIFFUSION | {"steps": "30"})
        assert (answer.status_code, answer.json()["error_code"]) == (503, "ML_4001")
        gateway.torchserve.not_deployed.add("geometric")
        await gateway.resources.models.refresh()
        answer = await create(gateway, DIFFUSION)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "ML_4001")


async def test_a_restart_changes_no_engine(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon=ORDER, sessions=QUICK) as gateway:
        gateway.torchserve.not_ready.add("diffusion")
        await gateway.resources.models.refresh()
        waiting = (await create(gateway, DIFFUSION)).json()["session_id"]
        assert (await create(gateway, GEOMETRIC, **WAIT)).json()["state"] == "completed"
        answer = await gateway.client.get(f"{PATH}/{waiting}", headers=MINE)
        assert answer.json()["state"] == "created"
        gateway.torchserve.not_ready.clear()
        await gateway.resources.models.refresh()
        item = (await ended(gateway, waiting))["items"][0]
        assert (item["state"], item["engine"]) == ("completed", "diffusion")
        assert "fallback_from" not in item["metadata"]


async def test_who_stays_away_is_waited_for_no_longer(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon=ORDER, sessions=QUICK) as gateway:
        gateway.torchserve.not_ready.add("diffusion")
        await gateway.resources.models.refresh()
        waiting = (await create(gateway, DIFFUSION)).json()["session_id"]
        picky = (await create(gateway, DIFFUSION | {"steps": "30"})).json()["session_id"]
        assert (await create(gateway, GEOMETRIC, **WAIT)).json()["state"] == "completed"
        gateway.clock.time_s += 60
        item = (await ended(gateway, waiting))["items"][0]
        assert (item["state"], item["engine"]) == ("completed", "geometric")
        assert item["metadata"]["fallback_from"]["reason"] == "not_ready"
        answer = await gateway.client.get(f"{PATH}/{picky}", headers=MINE)
        assert answer.json()["state"] == "created", "no other engine has steps"
        assert answer.json()["items"][0]["state"] == "created"
