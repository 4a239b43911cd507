from pathlib import Path

import pytest

from tests.gateway.rolling import MODEL, rolling
from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio

ROUTES = [
    ("GET", "/versions"),
    ("POST", "/versions"),
    ("DELETE", "/versions/1.0.0"),
    ("GET", "/rollouts/abc"),
    ("POST", "/rollouts/abc/rollback"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_token_set_there_are_no_such_routes(
    method: str, path: str, gateway: Gateway
) -> None:
    headers = {"Authorization": "Bearer guess"}
    answer = await gateway.client.request(method, MODEL + path, headers=headers, content=b"{")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "VAL_2006")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_only_the_administrator_passes(method: str, path: str, tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        for headers, code in (
            ({}, "AUTH_1003"),
            ({"Authorization": "Basic YTpi"}, "AUTH_1003"),
            ({"Authorization": "Bearer wrong"}, "AUTH_1001"),
            ({"Authorization": "Bearer schön"}, "AUTH_1001"),
        ):
            raw = {name.encode(): value.encode() for name, value in headers.items()}
            answer = await place.gateway.client.request(
                method, MODEL + path, headers=raw, content=b"{"
            )
            assert (answer.status_code, answer.json()["error_code"]) == (401, code)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert place.server.commands == []


@pytest.mark.parametrize(
    "body",
    [
        {"share": 0.5},
        {"version": "1.1.0", "archive": "geometric-1.1.0.mar"},
        {"version": "../1.1.0"},
        {"version": "1.1.0\n"},
        {"archive": "../geometric.mar"},
        {"archive": "https://example.org/a.mar"},
        {"version": "1.1.0", "share": 1},
        {"version": "1.1.0", "share": -0.1},
        {"version": "1.1.0", "canary_s": 0},
        {"version": "1.1.0", "url": "x"},
        {"version": "3.0.0"},
    ],
)
async def test_a_wrong_wish_is_refused_by_name(body: dict[str, object], tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        answer = await place.ask("POST", "/versions", **body)
        assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
        assert place.server.commands == []


async def test_an_archive_that_was_changed_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        (tmp_path / "model_store" / "geometric-1.1.0.mar").write_bytes(b"something else")
        answer = await place.ask("POST", "/versions", version="1.1.0")
        assert answer.status_code == 422
        assert "SHA256SUMS" in str(answer.json()["details"])
        assert place.server.commands == []


async def test_an_archive_may_be_named_itself(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        answer = await place.ask("POST", "/versions", archive="geometric-1.2.0.mar")
        assert (answer.status_code, answer.json()["version"]) == (202, "1.2.0")


async def test_a_model_that_is_not_configured_is_not_found(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        for path in ("nobody/versions", "..%2Fgeometric/versions"):
            url = MODEL.replace("geometric", path)
            headers = {"Authorization": "Bearer the-token-of-whoever-runs-this-place"}
            answer = await place.gateway.client.get(url, headers=headers)
            assert answer.status_code == 404


async def test_a_rollout_nobody_began_is_not_found(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        assert (await place.ask("GET", "/rollouts/0123456789abcdef")).status_code == 404
