"""Signing in, going on and signing out, as browsers do."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.gateway.running import Gateway
from tests.gateway.signing_in import ADA, ADMIN, Place, signing_in, take_csrf

pytestmark = pytest.mark.anyio

AUTH = "/api/v1/auth"


async def kind(browser: httpx.AsyncClient) -> str:
    """What the gateway takes a browser for; its code where it is refused."""
    body = (await browser.get(f"{AUTH}/me")).json()
    return str(body.get("kind") or body["error_code"])


async def test_a_page_signs_in_and_its_cookies_are_out_of_reach(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser = place.browser()
        assert await kind(browser) == "anonymous"
        answer = await browser.post(f"{AUTH}/login", json=ADA)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        cookies = {one.partition("=")[0]: one for one in answer.headers.get_list("set-cookie")}
        assert set(cookies) == {"__Host-vton_access", "__Secure-vton_refresh", "__Host-vton_csrf"}
        for name, cookie in cookies.items():
            assert "Secure" in cookie
            assert "SameSite=strict" in cookie
            assert ("HttpOnly" in cookie) == (name != "__Host-vton_csrf")
        assert "Path=/api/v1/auth" in cookies["__Secure-vton_refresh"]
        assert await kind(browser) == "user"
        assert "eyJ" not in answer.text
        assert [event for event, *_ in place.audit()] == ["login"]


async def test_a_wrong_password_is_refused_and_written_down(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        for wrong in (ADA | {"password": "guess"}, ADA | {"email": "nobody@example.org"}):
            answer = await place.browser().post(f"{AUTH}/login", json=wrong)
            assert (answer.status_code, answer.json()["error_code"]) == (401, "AUTH_1006")
            assert "set-cookie" not in answer.headers
        assert [event for event, *_ in place.audit()] == ["authentication.refused"]
        assert "guess" not in str(place.audit())


@pytest.mark.prop(2)
async def test_what_a_cookie_vouches_for_needs_its_csrf_token(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser, other = await place.signed_in(), await place.signed_in(ADMIN)
        good = browser.headers.pop("X-CSRF-Token")
        foreign = other.headers["X-CSRF-Token"]
        for method, path in (
            ("POST", "/api/v1/tryon/sessions"),
            ("POST", "/api/v1/process-tryon"),
            ("POST", "/api/v1/uploads"),
            ("POST", "/api/v1/keys"),
            ("DELETE", "/api/v1/keys/abc"),
            ("DELETE", "/api/v1/tryon/sessions/abc"),
            ("POST", f"{AUTH}/refresh"),
            ("POST", f"{AUTH}/logout"),
        ):
            wrong: list[dict[str, str]] = [
                {},
                {"X-CSRF-Token": "x"},
                {"X-CSRF-Token": foreign},
                {"X-CSRF-Token": good[:-1] + ("0" if good[-1] != "0" else "1")},
                {"X-CSRF-Token": good, "Origin": "https://evil.example"},
                {"X-CSRF-Token": good, "Origin": "null"},
                {"X-CSRF-Token": good, "Sec-Fetch-Site": "cross-site"},
                {"X-CSRF-Token": good, "Sec-Fetch-Site": "same-site"},
            ]
            for headers in wrong:
                answer = await browser.request(method, path, headers=headers)
                assert (answer.status_code, answer.json()["error_code"]) == (403, "AUTH_1005")
        assert (await browser.get("/api/v1/tryon/sessions")).status_code == 200
        taken = await browser.delete("/api/v1/keys/abc", headers={"X-CSRF-Token": good})
        assert (taken.status_code, taken.json()["error_code"]) == (404, "VAL_2006")


async def test_a_token_cookie_that_was_planted_with_its_header_is_not_enough(
    tmp_path: Path,
) -> None:
    async with signing_in(tmp_path) as place:
        browser, other = await place.signed_in(), await place.signed_in(ADMIN)
        planted = other.cookies["__Host-vton_csrf"]
        access = browser.cookies["__Host-vton_access"]
        headers = {
            "X-CSRF-Token": planted,
            "Cookie": f"__Host-vton_access={access}; __Host-vton_csrf={planted}",
        }
        answer = await place.browser().delete("/api/v1/keys/abc", headers=headers)
        assert answer.json()["error_code"] == "AUTH_1005"


@pytest.mark.prop(2)
async def test_a_bearer_token_needs_no_csrf_token(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        answer = await place.gateway.client.delete(
            "/api/v1/keys/abc", headers=place.bearer() | evil
        )
        assert answer.status_code == 404


async def test_another_page_can_sign_nobody_in(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        for headers in (
            {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
            {"Origin": "https://evil.example", "Sec_Fetch_Site": "same-origin"},
            {"Origin": "https://gateway.evil.example"},
        ):
            answer = await place.browser(None, **headers).post(f"{AUTH}/login", json=ADA)
            assert answer.json()["error_code"] == "AUTH_1005"
        assert place.supabase.calls == []


async def refreshed(*browsers: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(one.post(f"{AUTH}/refresh") for one in browsers))
    assert [answer.status_code for answer in answers] == [200] * len(browsers)


def tab(
    place: Place, browser: httpx.AsyncClient, other: Gateway | None = None
) -> httpx.AsyncClient:
    """Another tab of a browser, with a copy of its cookies; perhaps at another gateway."""
    copy = place.browser(other)
    copy.cookies = httpx.Cookies(browser.cookies)
    take_csrf(copy)
    return copy


async def test_two_tabs_at_once_refresh_once_and_both_live(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        first = await place.signed_in()
        tabs = [first, *(tab(place, first) for _ in range(4))]
        before = first.cookies["__Host-vton_access"]
        place.gateway.clock.time_s += 3000
        await refreshed(*tabs)
        assert place.supabase.calls.count("refresh_token") == 1
        for one in tabs:
            assert one.cookies["__Host-vton_access"] != before
            assert await kind(one) == "user"
        assert len({one.cookies["__Secure-vton_refresh"] for one in tabs}) == 1
        # A tab that wakes late with the old token still gets what the others have.
        late = tab(place, first)
        late.cookies = httpx.Cookies(tabs[1].cookies)
        place.gateway.clock.time_s += 3000
        await refreshed(*tabs)
        assert place.supabase.calls.count("refresh_token") == 2
        assert [await kind(one) for one in tabs] == ["user"] * 5


async def test_two_tabs_at_two_gateways_refresh_once_and_both_live(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place, place.beside() as other:
        first = await place.signed_in()
        second = tab(place, first, other)
        await refreshed(first, second)
        assert place.supabase.calls.count("refresh_token") == 1
        assert [await kind(one) for one in (first, second)] == ["user", "user"]
        # And again, with the tokens that each was given.
        await refreshed(second, first)
        assert place.supabase.calls.count("refresh_token") == 2
        assert [await kind(one) for one in (first, second)] == ["user", "user"]


async def test_a_page_that_leaves_while_it_refreshes_loses_nothing(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser = await place.signed_in()
        going = asyncio.create_task(tab(place, browser).post(f"{AUTH}/refresh"))
        await place.supabase.refreshing.wait()
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        await refreshed(browser)
        assert place.supabase.calls.count("refresh_token") == 1
        assert await kind(browser) == "user"


async def test_a_refresh_token_that_was_used_long_ago_ends_the_sign_in(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser = await place.signed_in()
        thief = tab(place, browser)
        await refreshed(browser)
        place.gateway.clock.time_s += 3600
        stolen = await thief.post(f"{AUTH}/refresh")
        assert (stolen.status_code, stolen.json()["error_code"]) == (401, "AUTH_1001")
        ended = await browser.post(f"{AUTH}/refresh")
        assert ended.status_code == 401


async def test_a_refresh_token_of_another_sign_in_is_none(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        mine, his = await place.signed_in(), await place.signed_in(ADMIN)
        session = mine.cookies["__Secure-vton_refresh"].partition("~")[0]
        token = his.cookies["__Secure-vton_refresh"].partition("~")[2]
        csrf = mine.cookies["__Host-vton_csrf"]
        cookie = f"__Secure-vton_refresh={session}~{token}; __Host-vton_csrf={csrf}"
        headers = {"Cookie": cookie, "X-CSRF-Token": csrf}
        answer = await place.browser().post(f"{AUTH}/refresh", headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "AUTH_1001")
        assert "set-cookie" not in answer.headers


async def test_a_service_that_is_away_is_told_and_the_sign_in_survives_it(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser = await place.signed_in()
        place.supabase.is_away = True
        for path, body in (("refresh", None), ("login", ADA)):
            answer = await browser.post(f"{AUTH}/{path}", json=body)
            assert answer.json()["error_code"] == "EXT_5003"
        assert await kind(browser) == "user"
        place.supabase.is_away = False
        await refreshed(browser)


@pytest.mark.prop(1)
async def test_who_signed_out_is_out_at_once_and_everywhere(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser, elsewhere = await place.signed_in(), await place.signed_in()
        kept, twin = tab(place, browser), tab(place, elsewhere)
        answer = await browser.post(f"{AUTH}/logout", json={})
        assert answer.status_code == 204
        assert not browser.cookies
        assert await kind(browser) == "anonymous"
        assert await kind(kept) == "AUTH_1001"
        assert (await kept.post(f"{AUTH}/refresh")).status_code == 401
        assert await kind(twin) == "user"
        place.gateway.clock.time_s += 2
        third = await place.signed_in()
        assert (await third.post(f"{AUTH}/logout", json={"everywhere": True})).status_code == 204
        assert await kind(twin) == "AUTH_1001"
        assert place.supabase.calls[-1] == "logout global"
        place.gateway.clock.time_s += 2
        assert await kind(await place.signed_in()) == "user"


async def test_signing_out_works_while_the_service_is_away(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser = await place.signed_in()
        kept = tab(place, browser)
        place.supabase.is_away = True
        assert (await browser.post(f"{AUTH}/logout", json={})).status_code == 204
        assert await kind(kept) == "AUTH_1001"


@pytest.mark.prop(1)
async def test_another_gateway_hears_of_a_sign_out_within_moments(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place, place.beside() as other:
        first = await place.signed_in()
        second = tab(place, first, other)
        assert await kind(second) == "user"
        await first.post(f"{AUTH}/logout", json={})
        other.clock.time_s += 1.01
        assert await kind(second) == "AUTH_1001"


async def test_where_nobody_can_sign_in_there_are_no_such_routes(gateway: Gateway) -> None:
    for path in ("login", "refresh"):
        answer = await gateway.client.post(f"{AUTH}/{path}", json=ADA)
        assert answer.status_code == 404
    told = (await gateway.client.get(f"{AUTH}/me")).json()
    assert (told["kind"], told["owner"], told["can_sign_in"]) == ("anonymous", None, False)
