"""API keys: made, shown once, recognised, limited to their scopes, revoked."""

import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.running import running_gateway
from tests.gateway.signing_in import Place, signing_in

pytestmark = pytest.mark.anyio

KEYS = "/api/v1/keys"
ADMIN = {"Authorization": "Bearer the-administrator"}


async def made(place: Place, headers: dict[str, str], **body: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = await place.gateway.client.post(KEYS, headers=headers, json={"name": "shop"} | body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def shown(key: dict[str, Any], scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {key['key']}"}


async def who(client: httpx.AsyncClient, headers: dict[str, str]) -> str:
    body = (await client.get("/api/v1/auth/me", headers=headers)).json()
    return str(body.get("kind") or body["error_code"])


async def test_a_key_acts_for_its_owner_and_is_kept_as_a_hash(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        owner, client = place.bearer(), place.gateway.client
        key = await made(place, owner, limits={"requests_per_min": 30})
        me = (await client.get("/api/v1/auth/me", headers=owner)).json()
        for headers in (shown(key), shown(key, "Key"), {"X-API-Key": key["key"]}):
            told = (await client.get("/api/v1/auth/me", headers=headers)).json()
            assert (told["kind"], told["key_id"]) == ("api_key", key["key_id"])
            assert told["owner"] == me["owner"]
        assert key["key"].startswith(key["prefix"])
        listed = (await client.get(KEYS, headers=owner)).json()["keys"]
        assert [one["key_id"] for one in listed] == [key["key_id"]]
        assert key["key"] not in str(listed)
        assert listed[0]["limits"]["requests_per_min"] == 30
        with sqlite3.connect(tmp_path / "sessions.sqlite") as database:
            assert key["key"].split("_", 2)[2] not in str(list(database.iterdump()))


async def test_a_revoked_or_expired_key_opens_nothing(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        owner, client = place.bearer(exp=2_000_000_000), place.gateway.client
        revoked, short, lasting = [
            await made(place, owner, **told) for told in ({}, {"expires_in_days": 1}, {})
        ]
        assert await who(client, shown(revoked)) == "api_key"
        answer = await client.delete(f"{KEYS}/{revoked['key_id']}", headers=owner)
        assert answer.status_code == 204
        assert await who(client, shown(revoked)) == "AUTH_1001"
        place.gateway.clock.time_s += 86_401
        assert await who(client, shown(short)) == "AUTH_1002"
        assert await who(client, shown(lasting)) == "api_key"
        assert (await client.delete(f"{KEYS}/nothing", headers=owner)).status_code == 404


async def test_a_key_may_no_more_than_it_was_given(tmp_path: Path) -> None:
    async with signing_in(tmp_path, admin={"token": "the-administrator"}) as place:
        client = place.gateway.client
        reader = shown(await made(place, place.bearer(), scopes=["read"]))
        assert (await client.get("/api/v1/models", headers=reader)).status_code == 200
        for method, path in (
            ("POST", "/api/v1/tryon/sessions"),
            ("POST", "/api/v1/uploads"),
            ("POST", KEYS),
            ("GET", KEYS),
            ("POST", "/api/v1/garments"),
            ("GET", "/api/v1/admin/models/geometric/versions"),
        ):
            answer = await client.request(method, path, headers=reader)
            assert (answer.status_code, answer.json()["error_code"]) == (403, "AUTH_1004")


async def test_nobody_gives_what_he_does_not_have(tmp_path: Path) -> None:
    async with signing_in(tmp_path, admin={"token": "the-administrator"}) as place:
        client = place.gateway.client
        for body, code in (
            ({"scopes": ["catalogue"]}, "AUTH_1004"),
            ({"owner": "acme"}, "AUTH_1004"),
            ({"scopes": ["admin"]}, "VAL_2001"),
            ({"scopes": ["keys"]}, "VAL_2001"),
            ({"scopes": []}, "VAL_2001"),
            ({"name": "<b>"}, "VAL_2001"),
            ({"surprise": 1}, "VAL_2001"),
            ({"limits": {"requests_per_min": 0}}, "VAL_2001"),
        ):
            answer = await client.post(KEYS, headers=place.bearer(), json={"name": "shop"} | body)
            assert answer.json()["error_code"] == code
        acme = await made(place, ADMIN, owner="acme", scopes=["catalogue", "read"])
        assert acme["owner"] == "client:acme"
        own = await made(place, ADMIN)
        assert own["owner"] == f"key:{own['key_id']}"
        assert len((await client.get(KEYS, headers=ADMIN)).json()["keys"]) == 2
        assert (await client.get(KEYS, headers=place.bearer())).json()["keys"] == []


async def test_without_a_sign_in_the_administrator_makes_the_keys(tmp_path: Path) -> None:
    async with running_gateway(
        tmp_path, admin={"token": "the-administrator"}, identity={"anonymous": False}
    ) as gateway:
        assert await who(gateway.client, {}) == "AUTH_1003"
        assert await who(gateway.client, {"X-User-Token": "v" * 32}) == "AUTH_1003"
        answer = await gateway.client.post(KEYS, headers=ADMIN, json={"name": "server"})
        assert await who(gateway.client, shown(answer.json())) == "api_key"


async def test_there_are_so_many_keys_and_no_more(tmp_path: Path) -> None:
    async with signing_in(tmp_path, identity={"keys_per_owner": 2}) as place:
        owner, client = place.bearer(), place.gateway.client
        first, _ = await made(place, owner), await made(place, owner)
        answer = await client.post(KEYS, headers=owner, json={"name": "third"})
        assert (answer.status_code, answer.json()["error_code"]) == (409, "VAL_2010")
        await client.delete(f"{KEYS}/{first['key_id']}", headers=owner)
        await made(place, owner)
