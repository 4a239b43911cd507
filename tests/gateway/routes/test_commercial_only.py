"""A deployment for commercial use: what is not for it is refused, and everybody is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors.kinds import Misconfigured
from tests.gateway.running import CONFIGURATION, Gateway, running_gateway

pytestmark = pytest.mark.anyio


@pytest.fixture
async def commercial(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path, commercial_only=True) as running:
        yield running


async def test_an_engine_is_refused_by_name_and_licence(commercial: Gateway) -> None:
    answer = await commercial.tryon(fields={"engine": "diffusion"})
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (403, "ML_4006")
    assert "the engine 'diffusion' is under CC-BY-NC-SA-4.0" in body["message"]
    assert body["details"] == {
        "engine": "diffusion",
        "part": "engine",
        "model": "diffusion",
        "licence": "CC-BY-NC-SA-4.0",
    }
    assert commercial.torchserve.asked == []


async def test_an_analysis_is_refused_for_one_of_its_parts(commercial: Gateway) -> None:
    answer = await commercial.analyse()
    assert (answer.status_code, answer.json()["error_code"]) == (403, "ML_4006")
    assert answer.json()["details"]["part"] == "parser"
    assert answer.json()["details"]["licence"] == "LicenseRef-SegFormer"


async def test_what_is_for_commercial_use_serves(commercial: Gateway) -> None:
    for answer in (await commercial.tryon(), await commercial.draw()):
        assert answer.status_code == 200
        assert answer.json()["commercial_use"] is True


async def test_people_are_not_drawn_by_what_is_not_for_it(tmp_path: Path) -> None:
    changed = CONFIGURATION["sdxl.yaml"].replace("commercial_use: true", "commercial_use: false")
    (tmp_path / "sdxl.yaml").write_text(changed)
    async with running_gateway(tmp_path, without=("sdxl.yaml",), commercial_only=True) as gateway:
        answer = await gateway.draw()
    assert (answer.status_code, answer.json()["error_code"]) == (403, "ML_4006")
    assert answer.json()["details"]["engine"] == "sdxl"


async def test_the_list_of_models_says_what_may_not_be_used_and_why(commercial: Gateway) -> None:
    commercial.torchserve.not_deployed = {"diffusion"}
    await commercial.resources.health.check()
    body = (await commercial.client.get("/api/v1/models")).json()
    free, closed = body["engines"]
    assert (free["engine"], free["allowed"], free["reason"]) == ("geometric", True, None)
    assert (closed["engine"], closed["allowed"]) == ("diffusion", False)
    assert "CC-BY-NC-SA-4.0" in closed["reason"]
    assert body["analysers"][0]["allowed"] is False
    assert "LicenseRef-SegFormer" in body["analysers"][0]["reason"]
    assert body["bodies"][0]["allowed"] is True


async def test_a_worker_that_is_there_all_the_same_is_not_offered(commercial: Gateway) -> None:
    body = (await commercial.client.get("/api/v1/models")).json()
    ready = {one["engine"]: one["ready"] for one in body["engines"] + body["analysers"]}
    assert ready == {"geometric": True, "diffusion": False, "person": False}


async def test_health_says_so_and_stays_well(commercial: Gateway) -> None:
    commercial.torchserve.not_deployed = {"diffusion", "person"}
    await commercial.resources.health.check()
    health = (await commercial.client.get("/health")).json()
    engines = health["components"]["engines"]["details"]
    assert health["status"] == "healthy"
    assert (engines["diffusion"]["allowed"], engines["geometric"]["allowed"]) == (False, True)
    assert "CC-BY-NC-SA-4.0" in engines["diffusion"]["reason"]
    assert engines["geometric"]["reason"] is None


@pytest.mark.prop(37)
async def test_a_default_engine_that_may_not_be_used_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        async with running_gateway(
            tmp_path, commercial_only=True, tryon={"default_engine": "diffusion"}
        ):
            pass
    for named in ("VTON_TRYON__DEFAULT_ENGINE", "'diffusion'", "CC-BY-NC-SA-4.0"):
        assert named in caught.value.message
