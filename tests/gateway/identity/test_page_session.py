"""Where people must sign in, a page without a session leads there, and an API call is refused."""

from pathlib import Path

import pytest

from tests.gateway.signing_in import ADA, signing_in

pytestmark = pytest.mark.anyio


@pytest.mark.prop(1)
async def test_a_page_without_a_session_leads_to_the_sign_in(tmp_path: Path) -> None:
    async with signing_in(tmp_path, identity={"anonymous": False}) as place:
        stranger = place.browser()
        for cookie in (None, "__Host-vton_access=forged", "__Host-vton_access="):
            headers = {} if cookie is None else {"Cookie": cookie}
            answer = await stranger.get("/", headers=headers)
            assert (answer.status_code, answer.headers["location"]) == (
                303,
                "/sign-in.html?next=%2F",
            )
            refused = await stranger.get("/api/v1/models", headers=headers)
            assert refused.status_code == 401
        for open_to_all in ("/sign-in.html", "/sign-in.js", "/account.js", "/health/live"):
            assert (await stranger.get(open_to_all)).status_code == 200
        browser = await place.signed_in()
        assert (await browser.get("/")).status_code == 200
        assert (await browser.get("/api/v1/models")).status_code == 200
        place.gateway.clock.time_s += 3700
        assert (await browser.get("/")).status_code == 303
        told = await browser.get("/api/v1/models")
        assert told.json()["error_code"] == "AUTH_1002"


async def test_where_visitors_are_welcome_the_page_is_everybody_s(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        assert (await place.browser().get("/")).status_code == 200


async def test_a_visitor_of_the_sign_in_service_is_one_here(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        headers = place.bearer(is_anonymous=True)
        told = (await place.gateway.client.get("/api/v1/auth/me", headers=headers)).json()
        assert told["kind"] == "anonymous"
        assert told["owner"].startswith("user:")
        assert "keys" not in told["scopes"]
    (tmp_path / "closed").mkdir()
    async with signing_in(tmp_path / "closed", identity={"anonymous": False}) as place:
        headers = place.bearer(is_anonymous=True)
        refused = await place.gateway.client.get("/api/v1/auth/me", headers=headers)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "AUTH_1004")
        assert [event for event, *_ in place.audit()] == ["authentication.refused"]


async def test_a_token_that_no_browser_would_keep_is_said_so(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        place.supabase.metadata = {"about": "x" * 4000}
        answer = await place.browser().post("/api/v1/auth/login", json=ADA)
        assert answer.json()["error_code"] == "EXT_5003"
        assert "too long" in answer.json()["message"]
