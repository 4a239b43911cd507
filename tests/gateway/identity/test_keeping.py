"""Who chooses how long a session is kept: everybody less than usual, accounts more."""

from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.domain.receipts import is_genuine
from tests.gateway.identity.crowd import SECTIONS, Somebody, crowd, pictures_of
from tests.gateway.signing_in import Place, signing_in

pytestmark = pytest.mark.anyio

SESSIONS: Final = "/api/v1/tryon/sessions"
DAY_S: Final = 86_400


async def made(place: Place, one: Somebody, keep_for: str, **headers: str) -> httpx.Response:
    sent = {**one.headers, "Keep-For": keep_for, **headers}
    files = pictures_of(place.gateway)
    return await place.gateway.client.post(SESSIONS, headers=sent, files=files)


async def life_s(place: Place, one: Somebody, session_id: str) -> float:
    found = await place.gateway.resources.sessions.get(session_id, one.owner)
    return found.expires_at - found.created_at


@pytest.mark.parametrize(
    ("keep_for", "seconds"), [("600", 600), ("600s", 600), ("12h", 12 * 3600), ("1d", DAY_S)]
)
async def test_everybody_may_have_a_session_kept_shorter(
    tmp_path: Path, keep_for: str, seconds: int
) -> None:
    async with signing_in(tmp_path, **SECTIONS) as place:
        for one in await crowd(place, users=3):
            answer = await made(place, one, keep_for)
            assert answer.status_code == httpx.codes.CREATED, answer.text
            assert await life_s(place, one, answer.json()["session_id"]) == seconds


async def test_longer_only_with_an_account_and_no_longer_than_the_deployment_has_it(
    tmp_path: Path,
) -> None:
    sections = {**SECTIONS, "sessions": {"is_running": False, "account_retention_s": 7 * DAY_S}}
    async with signing_in(tmp_path, **sections) as place:
        for one in await crowd(place, users=3):
            longest_d = 1 if one.kind == "visitor" else 7
            answer = await made(place, one, f"{longest_d}d")
            assert await life_s(place, one, answer.json()["session_id"]) == longest_d * DAY_S
            for wish in (f"{longest_d + 1}d", "99999999d", "0", "-1", "soon", "1.5d", "\u0661d"):
                refused = await made(place, one, wish.encode())  # type: ignore[arg-type]
                assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY, wish
                assert "Keep-For" in refused.text


async def test_another_choice_is_another_request(tmp_path: Path) -> None:
    async with signing_in(tmp_path, **SECTIONS) as place:
        (one,) = await crowd(place, users=1)
        wishes = ("2d", "2d", "3d")
        told = [await made(place, one, wish, **{"Idempotency-Key": "order"}) for wish in wishes]
        assert [answer.status_code for answer in told] == [201, 200, 409]


async def test_what_is_kept_for_a_month_is_there_for_a_month_and_then_gone(tmp_path: Path) -> None:
    async with signing_in(tmp_path, **{**SECTIONS, "sessions": {}}) as place:
        gateway, (one,) = place.gateway, await crowd(place, users=1)
        session = (await made(place, one, "30d", Prefer="wait=20")).json()
        assert session["state"] == "completed"
        began = gateway.clock.time_s
        gateway.clock.time_s = began + 30 * DAY_S - 60
        await gateway.resources.erasing.job.run()
        renewed = {**one.headers, **place.bearer(email="user0@example.org")}
        found: dict[str, Any] = (
            await gateway.client.get(f"{SESSIONS}/{session['session_id']}", headers=renewed)
        ).json()
        picture = await gateway.client.get(found["items"][0]["result_urls"][0])
        assert picture.headers["content-type"].startswith("image/")
        gateway.clock.time_s = began + 30 * DAY_S + 60
        await gateway.resources.erasing.job.run()
        assert [key async for key in gateway.resources.store.keys("")] == []
        receipt = await gateway.resources.sessions.receipt(session["session_id"], one.owner)
        assert receipt["reason"] == "expired"
        assert is_genuine(receipt, gateway.resources.erasing.key.public)
