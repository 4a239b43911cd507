"""An id that nothing can have is answered as one that nothing has, whichever database there is."""

import re
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.settings.tree import Settings
from tests.gateway.every_route import routes
from tests.gateway.identity.crowd import SECTIONS, Somebody
from tests.gateway.identity.test_ownership import OWNED, outcome
from tests.gateway.signing_in import signing_in

pytestmark = pytest.mark.anyio

UNHEARD_OF = "0" * 32
IMPOSSIBLE = ["%00", "a%00b", "%ED%A0%80", "%FF", "%0A", "%C3%A9", "a b", "a.b", "x" * 65, "'"]
CURSORS = ["0x1p+0~%00", "0x1p%2B0~%00", "0x1p%2B0~%ED%A0%80", "0x1p%2B0~", "nan~a", "%00~a"]
ONES_OWN = sorted(
    route for route in routes(create_app(Settings())) if set(re.findall(r"{(\w+)", route)) & OWNED
)


async def test_an_id_that_cannot_be_names_nothing(tmp_path: Path, database_url: str) -> None:
    database = {"database": {"url": database_url}, "notices": {"url": "memory:"}}
    async with signing_in(tmp_path, **{**SECTIONS, **database}) as place:
        one = Somebody("user", place.bearer(), "")
        for route in ONES_OWN:
            nothing = await outcome(place, one, route, UNHEARD_OF)
            assert nothing[0] == 404
            for impossible in IMPOSSIBLE:
                assert await outcome(place, one, route, impossible) == nothing, (route, impossible)
        for cursor in CURSORS:
            url = f"/api/v1/tryon/sessions?cursor={cursor}"
            answer = await place.gateway.client.get(url, headers=one.headers)
            assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001"), cursor
