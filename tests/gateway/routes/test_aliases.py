"""Front ends that were written to older contracts."""

from typing import Any

import httpx
import pytest

from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio

MINE = {"X-User-Token": "m" * 32}
NEW = "/api/v1/tryon/sessions"


async def create(gateway: Gateway, path: str) -> httpx.Response:
    files = {
        "user_image": ("p.jpg", gateway.person, "image/jpeg"),
        "garment_image": ("g.jpg", gateway.garment, "image/jpeg"),
    }
    headers = MINE | {"Prefer": "wait=20"}
    return await gateway.client.post(path, headers=headers, files=files)


async def get(gateway: Gateway, path: str) -> Any:  # noqa: ANN401
    answer = await gateway.client.get(path, headers=MINE)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize(
    ("make", "show"),
    [("/api/tryon/sessions", "/api/tryon/sessions/{}"), ("/api/try-on", "/api/try-on/{}/status")],
)
async def test_sessions_have_their_older_names(gateway: Gateway, make: str, show: str) -> None:
    made = await create(gateway, make)
    assert made.status_code == 201
    session_id = made.json()["session_id"]
    assert await get(gateway, show.format(session_id)) == await get(gateway, f"{NEW}/{session_id}")
    assert (await gateway.client.get(show.format(session_id))).status_code == 404


async def test_sessions_are_listed_cancelled_and_erased_by_their_older_names(
    gateway: Gateway,
) -> None:
    session_id = (await create(gateway, "/api/tryon/sessions")).json()["session_id"]
    path = f"/api/tryon/sessions/{session_id}"
    listed = await get(gateway, "/api/tryon/sessions")
    assert [one["session_id"] for one in listed["sessions"]] == [session_id]
    cancelled = await gateway.client.post(f"{path}/cancel", headers=MINE)
    assert cancelled.json()["state"] == "completed"
    assert (await gateway.client.delete(path, headers=MINE)).is_success
    assert (await gateway.client.get(path, headers=MINE)).status_code == 404


async def test_batches_health_and_documentation_have_their_older_names(gateway: Gateway) -> None:
    refused = await gateway.client.post("/api/try-on/batch", headers=MINE, json={})
    assert refused.json()["error_code"] == "VAL_2001"
    assert (await get(gateway, "/api/health"))["status"] == "healthy"
    docs = await gateway.client.get("/api/docs")
    assert docs.text == (await gateway.client.get("/docs")).text


async def test_older_names_are_not_in_the_document(gateway: Gateway) -> None:
    paths = (await gateway.client.get("/openapi.json")).json()["paths"]
    assert not [path for path in paths if path.startswith(("/api/tryon", "/api/try-on"))]
