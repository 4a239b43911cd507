"""How often somebody may try to sign in."""

from pathlib import Path

import pytest

from tests.gateway.identity.test_sign_in import AUTH, refreshed
from tests.gateway.signing_in import ADA, signing_in

pytestmark = pytest.mark.anyio


async def test_the_service_s_own_limit_is_handed_on_and_ends_no_sign_in(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        browser = await place.signed_in()
        place.supabase.is_busy = True
        for path, body in (("refresh", None), ("login", ADA)):
            answer = await browser.post(f"{AUTH}/{path}", json=body)
            assert (answer.status_code, answer.json()["error_code"]) == (429, "RATE_3001")
            assert int(answer.headers["retry-after"]) > 0
        place.supabase.is_busy = False
        await refreshed(browser)


@pytest.mark.prop(11)
@pytest.mark.usefixtures("no_token_comes_back")
async def test_guessing_passwords_is_slow(tmp_path: Path) -> None:
    async with signing_in(tmp_path, limits={"anonymous_per_min": 5}) as place:
        browser = place.browser()
        codes = [
            (await browser.post(f"{AUTH}/login", json=ADA | {"password": str(number)})).status_code
            for number in range(14)
        ]
        assert codes == [401] * 10 + [429] * 4
        assert place.supabase.calls.count("password") == 10
