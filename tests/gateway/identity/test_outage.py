"""The keys of the sign-in service: fetched seldom, kept through its outage, turned over."""

from pathlib import Path

import pytest

from tests.gateway.signing_in import Place, signing_in

pytestmark = pytest.mark.anyio

ME = "/api/v1/auth/me"


async def code(place: Place, **claims: object) -> str:
    """What a caller with a fresh token is taken for, or told."""
    headers = place.bearer(jti=place.gateway.clock.now(), **claims)
    body = (await place.gateway.client.get(ME, headers=headers)).json()
    return str(body.get("kind") or body["error_code"])


async def test_keys_are_fetched_once_and_again_when_they_are_due(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        for _ in range(5):
            assert await code(place) == "user"
        assert place.supabase.calls == ["jwks"]
        place.gateway.clock.time_s += 599
        assert await code(place) == "user"
        assert place.supabase.calls == ["jwks"]


@pytest.mark.prop(43)
async def test_an_outage_is_outlived_for_an_hour_and_no_longer(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        assert await code(place) == "user"
        place.supabase.is_away = True
        for _ in range(50):
            place.gateway.clock.time_s += 71
            assert await code(place) == "user"
        place.gateway.clock.time_s += 60
        assert await code(place) == "EXT_5003"
        place.supabase.is_away = False
        place.gateway.clock.time_s += 60
        assert await code(place) == "user"


async def test_a_service_that_was_never_there_lets_nobody_in(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        place.supabase.is_away = True
        assert await code(place) == "EXT_5003"
        anonymous = await place.gateway.client.get(ME)
        assert anonymous.json()["kind"] == "anonymous"


async def test_a_new_key_is_asked_for_at_once_but_not_by_everybody(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        assert await code(place) == "user"
        place.supabase.turn_keys()
        assert await code(place) == "user"
        assert place.supabase.calls == ["jwks", "jwks"]
        place.supabase.kid, good = "11111111-unknown", place.supabase.kid
        place.supabase._keys["11111111-unknown"] = place.supabase._keys.pop(good)
        for _ in range(20):
            assert await code(place) == "AUTH_1001"
        assert place.supabase.calls == ["jwks", "jwks"]
        place.gateway.clock.time_s += 30
        assert await code(place) == "user"
        assert place.supabase.calls == ["jwks"] * 3


async def test_a_key_that_was_withdrawn_opens_nothing_any_more(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        headers = place.bearer()
        client = place.gateway.client
        assert (await client.get(ME, headers=headers)).status_code == 200
        place.supabase.turn_keys(keeping=False)
        assert await code(place) == "user"
        assert (await client.get(ME, headers=headers)).status_code == 401


async def test_rs256_keys_do_as_well(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        place.supabase.algorithm = "RS256"
        place.supabase.turn_keys()
        assert await code(place) == "user"
