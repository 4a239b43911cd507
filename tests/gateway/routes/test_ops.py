import pytest

from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio


async def test_health_tells_about_every_part(gateway: Gateway) -> None:
    answer = await gateway.client.get("/health")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "healthy")
    assert body["components"]["storage"]["status"] == "healthy"
    engine = body["components"]["engines"]["details"]["geometric"]
    assert (engine["state"], engine["version"], engine["ready_workers"]) == ("ready", "1.0", 1)


async def test_without_a_worker_the_gateway_lives_but_is_not_ready(gateway: Gateway) -> None:
    gateway.torchserve.is_ready = False
    await gateway.resources.health.check()
    answers = [
        await gateway.client.get(path) for path in ("/health", "/health/ready", "/health/live")
    ]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["status"] == "unhealthy"
    models = (await gateway.client.get("/api/v1/models")).json()["engines"]
    assert models[0]["ready"] is False


async def test_models_lists_what_each_engine_can_do(gateway: Gateway) -> None:
    body = (await gateway.client.get("/api/v1/models")).json()
    engine, other = body["engines"]
    assert (engine["engine"], other["engine"]) == ("geometric", "diffusion")
    assert (engine["is_default"], other["is_default"]) == (True, False)
    assert engine["ready"] is True
    assert engine["categories"] == ["upper_body", "lower_body", "dresses"]
    assert engine["commercial_use"] is True
    assert engine["deadline_s"] == 60
    assert other["ranges"]["steps"] == [20, 50]
    assert other["defaults"] == {"steps": 30, "auto_crop": True}
    assert other["deadline_s"] == 900


async def test_models_lists_who_analyses_and_on_what_terms(gateway: Gateway) -> None:
    (analyser,) = (await gateway.client.get("/api/v1/models")).json()["analysers"]
    assert (analyser["engine"], analyser["ready"]) == ("person", True)
    assert [(part["part"], part["commercial_use"]) for part in analyser["parts"]] == [
        ("parser", False),
        ("landmarks", True),
    ]


async def test_models_lists_who_draws_and_the_names_to_choose_from(gateway: Gateway) -> None:
    (drawer,) = (await gateway.client.get("/api/v1/models")).json()["bodies"]
    assert (drawer["engine"], drawer["ready"], drawer["categories"]) == ("sdxl", True, [])
    assert drawer["choices"]["skin_tone"] == ["light", "dark"]
    assert drawer["ranges"]["height_cm"] == [140, 220]


async def test_models_shows_the_registry(gateway: Gateway) -> None:
    body = (await gateway.client.get("/api/v1/models")).json()
    assert body["engines"][1]["registry"] == {
        "model": "diffusion",
        "version": "2.1.0",
        "path": "models/diffusion",
        "inputs": ["user_image", "garment_image", "mask", "densepose"],
        "resolutions_px": [[768, 1024]],
        "memory_bytes": {"weights": 14_000_000_000},
    }
    assert body["engines"][1]["licence"] == "CC-BY-NC-SA-4.0"
    assert body["analysers"][0]["parts"][0]["path"] == "models/p"
    assert all(one["allowed"] for one in body["engines"] + body["analysers"] + body["bodies"])


async def test_what_is_not_deployed_is_neither_listed_nor_missed(gateway: Gateway) -> None:
    gateway.torchserve.not_deployed = {"diffusion", "person"}
    await gateway.resources.health.check()
    body = (await gateway.client.get("/api/v1/models")).json()
    assert [engine["engine"] for engine in body["engines"]] == ["geometric"]
    assert body["analysers"] == []
    health = (await gateway.client.get("/health")).json()
    assert health["status"] == "healthy"
    assert health["components"]["engines"]["details"]["person"]["state"] == "missing"


async def test_without_its_default_engine_the_gateway_is_not_healthy(gateway: Gateway) -> None:
    gateway.torchserve.not_deployed = {"geometric"}
    await gateway.resources.health.check()
    assert (await gateway.client.get("/health")).json()["status"] == "unhealthy"
