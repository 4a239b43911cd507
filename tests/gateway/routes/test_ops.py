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
    engine = (await gateway.client.get("/api/v1/models")).json()["engines"][0]
    assert engine["engine"] == "geometric"
    assert engine["is_default"] is True
    assert engine["ready"] is True
    assert engine["categories"] == ["upper_body", "lower_body", "dresses"]
    assert engine["commercial_use"] is True
