"""Twenty users, fifty objects of each, every route of sessions: nobody reads what is another's."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from gateway.domain.identity import visitor_owner
from gateway.domain.sessions import Ask, Draft, Kind
from tests.gateway.running import Gateway, running_gateway

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

USERS, OBJECTS = 20, 50
PATH = "/api/v1/tryon/sessions"
TOKENS = [f"{number:02d}".ljust(32, "u") for number in range(USERS)]
ROUTES = [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that makes nothing: what is accepted stays as it is."""
    async with running_gateway(tmp_path, sessions={"is_running": False}) as running:
        yield running


async def accepted(gateway: Gateway) -> dict[str, list[str]]:
    """Fifty sessions of each user, by token."""
    now = gateway.clock.now()
    book = gateway.resources.sessions._book
    found: dict[str, list[str]] = {token: [] for token in TOKENS}
    for token, _ in product(TOKENS, range(OBJECTS)):
        draft = Draft(
            session_id=token_hex(16),
            owner=visitor_owner(token),
            kind=Kind.STANDARD,
            engine="geometric",
            asks=(Ask({"user_image": "p", "garment_image": "g"}, {}),),
            request_id="0123456789abcdef",
            created_at=now,
            expires_at=now + 3600,
        )
        found[token].append((await book.create(draft)).session_id)
    return found


async def test_no_session_of_anybody_is_there_for_anybody_else(gateway: Gateway) -> None:
    owned = await accepted(gateway)
    foreign = 0
    for token, theirs in owned.items():
        others = [other for other in TOKENS if other != token]
        for place, session_id in enumerate(theirs):
            other = others[place % len(others)]
            for by, at in ROUTES:
                url, headers = f"{PATH}/{session_id}{at}", {"X-User-Token": other}
                answer = await gateway.client.request(by, url, headers=headers)
                foreign += answer.status_code != httpx.codes.NOT_FOUND
    assert foreign == 0
    for token, mine in owned.items():
        listed = await listing(gateway, token)
        assert set(listed) == set(mine)
        assert set(listed.values()) == {"created"}


async def listing(gateway: Gateway, token: str) -> dict[str, str]:
    """All that a user sees of his own, and how it stands."""
    found: dict[str, str] = {}
    cursor = ""
    while True:
        asked = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        told = await gateway.client.get(PATH, headers={"X-User-Token": token}, params=asked)
        body = told.json()
        found |= {one["session_id"]: one["state"] for one in body["sessions"]}
        if not (cursor := body["next_cursor"]):
            return found


async def test_a_link_is_good_for_what_it_names_and_nothing_else(gateway: Gateway) -> None:
    files = {
        "user_image": ("p.jpg", gateway.person, "image/jpeg"),
        "garment_image": ("g.jpg", gateway.garment, "image/jpeg"),
    }
    urls = []
    for token in TOKENS[:2]:
        made = await gateway.client.post(PATH, headers={"X-User-Token": token}, files=files)
        urls.append(made.json()["urls"]["events"])
    (mine, my_query), (theirs, _) = (url.split("?") for url in urls)
    assert mine != theirs
    stolen = await gateway.client.get(f"{theirs}?{my_query}")
    assert stolen.status_code in {401, 403, 404}
