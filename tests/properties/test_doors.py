"""Properties 1 to 3 and 10 to 12 over every route: who gets in, and how often."""

import asyncio
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.domain.identity import SAFE_METHODS
from gateway.domain.limits import HEADERS
from gateway.settings.tree import Settings
from tests.gateway.logs import lines_of
from tests.gateway.running import Gateway
from tests.gateway.signing_in import ADA, Place, signing_in

pytestmark = pytest.mark.anyio
USUAL = {"inference_per_min": 10, "read_per_min": 100, "write_per_min": 60, "anonymous_per_min": 20}
CSRF_HEADER = "X-CSRF-Token"
# Nobody's cookie vouches for these: signing in brings one, and a service calls back with a secret.
WITHOUT_COOKIE = {"/api/v1/auth/login", "/api/v1/callbacks/pixazo/{secret}"}


async def operations(gateway: Gateway) -> list[tuple[str, str, dict[str, Any]]]:
    """Each operation of the document: its method, its path, what is said of it."""
    paths = (await gateway.client.get("/openapi.json")).json()["paths"]
    return [
        (method.upper(), path, told)
        for path, methods in paths.items()
        for method, told in methods.items()
    ]


def filled(path: str) -> str:
    """The path with something in each place."""
    return path.replace("{", "").replace("}", "")


@pytest.mark.prop(1)
async def test_where_visitors_are_not_welcome_nobody_comes_in_without_a_token(
    tmp_path: Path,
) -> None:
    async with signing_in(tmp_path, identity={"anonymous": False}) as place:
        asked = [
            (method, path)
            for method, path, told in await operations(place.gateway)
            if told.get("security") not in (None, [])
        ]
        assert len(asked) > 30
        for method, path in asked:
            answer = await place.gateway.client.request(method, filled(path))
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.json()["error_code"] == "AUTH_1003", f"{method} {path}"


@pytest.mark.prop(2)
async def test_no_route_changes_anything_by_a_cookie_alone(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser, other = await place.signed_in(), await place.signed_in()
        good, foreign = browser.headers.pop(CSRF_HEADER), other.headers[CSRF_HEADER]
        tried = 0
        for method, path, told in await operations(place.gateway):
            if method in SAFE_METHODS or not told.get("security") or path in WITHOUT_COOKIE:
                continue
            for wrong in ({}, {CSRF_HEADER: foreign}, {CSRF_HEADER: good, "Origin": "https://x.y"}):
                answer = await browser.request(method, filled(path), headers=wrong)
                assert answer.json()["error_code"] == "AUTH_1005", f"{method} {path} {wrong}"
            tried += 1
        assert tried > 15


def attempts(place: Place) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Ways in that are none: method, path, and what is sent."""
    me = "/api/v1/auth/me"
    for password in ("", "guess", ADA["password"].upper()):
        body = {**ADA, "password": password or "x"}
        yield "POST", "/api/v1/auth/login", {"json": body, "headers": browser_like()}
    for token in ("x", "vton_000000000000_" + "A" * 43, place.bearer(exp=1)["Authorization"][7:]):
        yield "GET", me, {"headers": {"Authorization": f"Bearer {token}"}}
    yield "GET", me, {"headers": {"X-API-Key": "vton_000000000000_" + "A" * 43}}
    yield "GET", me, {"headers": {"Cookie": "__Host-vton_access=forged"}}


def browser_like() -> dict[str, str]:
    return {"Origin": "https://gateway", "Sec-Fetch-Site": "same-origin"}


@pytest.mark.prop(3)
async def test_every_failed_authentication_of_any_kind_is_written_down(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with signing_in(tmp_path) as place:
        browser = httpx.AsyncClient(
            transport=place.gateway.client._transport, base_url="https://gateway"
        )
        for number, (method, path, sent) in enumerate(attempts(place)):
            log.seek(0)
            log.truncate()
            sent["headers"] = sent.get("headers", {}) | {"User-Agent": f"agent {number}"}
            answer = await browser.request(method, path, **sent)
            assert answer.status_code == 401, f"{number} {path}"
            (line,) = [
                line for line in lines_of(log) if line.get("audit") == "authentication.refused"
            ]
            assert line["user_agent"] == f"agent {number}"
            assert line["address"] == "127.0.0.1"
            assert line["timestamp"]
            assert line["reason"]
            assert line["request_id"] == answer.headers["x-request-id"]


@pytest.mark.prop(10)
async def test_every_route_that_is_limited_says_how_much_is_left(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        for method, path, told in await operations(place.gateway):
            answer = await place.gateway.client.request(
                method, filled(path), headers=place.bearer()
            )
            assert "429" in told["responses"] or not told.get("security"), f"{method} {path}"
            if "429" in told["responses"]:
                assert set(HEADERS) <= {h for h in HEADERS if h in answer.headers}, (
                    f"{method} {path}"
                )


async def passed(place: Place, requests: int, method: str, path: str, per_min: int) -> None:
    """Assert that of so many requests of a user at once a bucket lets pass what it holds."""
    asked = (
        place.gateway.client.request(method, path, headers=place.bearer()) for _ in range(requests)
    )
    began = time.monotonic()
    statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    came_in = per_min / 60 * (time.monotonic() - began)
    let_in = requests - statuses.count(429)
    assert 2 * per_min <= let_in <= 2 * per_min + came_in + 1, path


@pytest.mark.prop(11)
@pytest.mark.prop(12)
async def test_a_user_has_a_rate_for_each_kind_and_shares_it_with_nobody(tmp_path: Path) -> None:
    async with signing_in(tmp_path, limits=USUAL) as place:
        await passed(place, 250, "GET", "/api/v1/models", 100)
        await passed(place, 40, "POST", "/api/v1/process-tryon", 10)
        await passed(place, 150, "DELETE", "/api/v1/keys/abc", 60)
        other = place.bearer(email="admin@example.org")
        for headers in (other, {}):
            answer = await place.gateway.client.get("/api/v1/models", headers=headers)
            assert answer.status_code == 200


def test_these_are_the_rates_where_nothing_is_set() -> None:
    told = Settings().limits
    assert {name: getattr(told, name) for name in USUAL} == USUAL
