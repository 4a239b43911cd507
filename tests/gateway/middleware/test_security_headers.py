import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.routes.page import FOLDER
from gateway.settings.tree import Settings
from tests.gateway.running import Gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio
SHOP = {"Origin": "https://shop.example"}


@pytest.fixture
async def strict(gateway: Gateway) -> AsyncIterator[Gateway]:
    """A gateway as a browser meets it in production: HSTS, and one shop that may call."""
    http = {"hsts": True, "cors_origins": SHOP["Origin"]}
    app = create_app(Settings.model_validate({"http": http}), gateway.resources)
    plain = gateway.client
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as gateway.client:
        yield gateway
    gateway.client = plain


async def answers(gateway: Gateway) -> AsyncIterator[tuple[str, int, httpx.Response]]:
    """One answer of every kind: its name, the status it has, itself."""
    client = gateway.client
    made = await gateway.tryon()
    yield "try-on", 200, made
    yield "picture", 200, await client.get(made.json()["result_url"])
    yield "upload", 201, await gateway.upload(gateway.person)
    yield "JSON", 200, await client.get("/api/v1/models")
    yield "health", 200, await client.get("/health")
    yield "metrics", 200, await client.get("/metrics")
    yield "document", 200, await client.get("/openapi.json")
    yield "reference", 200, await client.get("/docs")
    for file in sorted(FOLDER.glob("*.*")):
        path = "/" if file.name == "index.html" else f"/{file.name}"
        yield file.name, 200, await client.get(path)
    preflight = {**SHOP, "Access-Control-Request-Method": "POST"}
    yield "preflight", 200, await client.options("/api/v1/uploads", headers=preflight)
    yield "unknown path", 404, await client.get("/nope")
    yield "wrong method", 405, await client.delete("/api/v1/models")
    yield (
        "wrong token",
        401,
        await client.get("/api/v1/models", headers={"Authorization": "Bearer nonsense"}),
    )
    yield "wrong field", 422, await gateway.tryon(fields={"steps": "many"})
    yield "wrong type", 415, await gateway.upload(("a.gif", b"GIF89a", "image/gif"))
    large = {"Content-Length": str(1 << 40)}
    yield "too large", 413, await client.post("/api/v1/uploads", content=b"", headers=large)
    gateway.torchserve.faults.append(Fault.CRASHES)
    yield "failed engine", 502, await gateway.tryon(fields={"seed": 9})


async def test_every_kind_of_answer_carries_the_security_headers(strict: Gateway) -> None:
    async for name, status, answer in answers(strict):
        headers = answer.headers
        assert answer.status_code == status, f"{name}: {answer.text[:300]}"
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["referrer-policy"] == "no-referrer", name
        assert headers["cross-origin-opener-policy"] == "same-origin", name
        assert "geolocation=()" in headers["permissions-policy"], name
        assert re.fullmatch(
            r"max-age=\d{8}; includeSubDomains", headers["strict-transport-security"]
        )
        assert len(headers["x-request-id"]) == 32, name
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'"), name
        assert "frame-ancestors 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert "*" not in policy.replace(";", " ").split(), name
        assert "http:" not in policy, name


async def test_nothing_is_compressed_that_is_a_picture_or_small(strict: Gateway) -> None:
    compressed = set()
    async for name, _, answer in answers(strict):
        kind = answer.headers.get("content-type", "")
        if "content-encoding" in answer.headers:
            compressed.add(name)
            assert len(answer.content) >= 1024, name
            assert kind == "image/svg+xml" or not kind.startswith("image/"), name
        elif len(answer.content) >= 1024:
            assert kind.startswith("image/"), name
    assert {"JSON", "document", "reference", "index.html", "app.js"} <= compressed


def test_the_page_needs_nothing_that_its_policy_forbids() -> None:
    page = (FOLDER / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", page) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page) == []
    for script in FOLDER.glob("*.js"):
        text = Path(script).read_text()
        assert not re.search(r"\beval\(|new Function\(|setAttribute\(\"style\"", text), script


async def test_only_who_asks_for_https_is_told_to_keep_to_it(gateway: Gateway) -> None:
    answer = await gateway.client.get("/health")
    assert "strict-transport-security" not in answer.headers
