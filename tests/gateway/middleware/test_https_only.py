from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings.tree import Settings
from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio
PROXY = "10.0.0.7"
BY_HTTP = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9"}


def client(gateway: Gateway, peer: str = PROXY, **http: Any) -> httpx.AsyncClient:  # noqa: ANN401
    """Somebody at this address, of a gateway that is for HTTPS alone, behind a trusted proxy."""
    settings = Settings.model_validate(
        {"http": {"hsts": True, **http}, "proxies": {"networks": "10.0.0.0/8"}}
    )
    transport = httpx.ASGITransport(create_app(settings, gateway.resources), client=(peer, 5))
    return httpx.AsyncClient(transport=transport, base_url="http://shop.example")


@pytest.fixture
async def behind(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """What the proxy asks."""
    async with client(gateway) as one:
        yield one


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_what_came_by_http_is_sent_to_https(behind: httpx.AsyncClient, method: str) -> None:
    answer = await behind.request(method, "/api/v1/models?a=1&b=%2F", headers=BY_HTTP)
    assert answer.status_code == 308
    assert answer.headers["location"] == "https://shop.example/api/v1/models?a=1&b=%2F"
    assert answer.headers["strict-transport-security"]
    assert answer.headers["x-request-id"]


async def test_what_came_by_https_is_answered(behind: httpx.AsyncClient) -> None:
    answer = await behind.get("/health/live", headers={"X-Forwarded-Proto": "https"})
    assert answer.status_code == 200


async def test_what_nobody_speaks_for_goes_in_no_circle(
    gateway: Gateway, behind: httpx.AsyncClient
) -> None:
    assert (await behind.get("/health/live")).status_code == 200
    async with client(gateway, peer="203.0.113.9") as stranger:
        assert (await stranger.get("/health/live", headers=BY_HTTP)).status_code == 200


async def test_the_way_leads_to_the_public_address_alone(gateway: Gateway) -> None:
    headers = BY_HTTP | {"Host": "evil.example"}
    async with client(gateway, public_url="https://try.example") as one:
        answer = await one.get("/health", headers=headers)
    assert answer.headers["location"] == "https://try.example/health"


async def test_without_https_nothing_is_sent_on(gateway: Gateway) -> None:
    async with client(gateway, hsts=False) as one:
        assert (await one.get("/health/live", headers=BY_HTTP)).status_code == 200
