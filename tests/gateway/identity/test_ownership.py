"""What is somebody's is nobody else's: every route that the application has, tried by others."""

import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.app import create_app
from gateway.settings.tree import Settings
from tests.gateway.every_route import SOCKET, routes
from tests.gateway.identity.crowd import (
    OBJECTS,
    SECTIONS,
    USERS,
    Somebody,
    application,
    belongings,
    crowd,
    furnish,
)
from tests.gateway.signing_in import Place, signing_in
from tests.gateway.socket_asking import asked_by_socket

pytestmark = pytest.mark.anyio

OWNED: Final = {"session_id", "key_id", "webhook_id", "message_id", "receipt_id"}
"""Parts of paths that name a thing of somebody's; `furnish` makes some of each."""

ONLY_ONES_OWN: Final = {
    # Lists, and who one is: shown of oneself alone (test_hidden.py).
    "GET /api/v1/tryon/sessions",
    "GET /api/tryon/sessions",
    "GET /api/try-on",
    "GET /api/v1/keys",
    "GET /api/v1/webhooks",
    "GET /api/v1/auth/me",
    "POST /api/v1/auth/logout",
}
BY_ITS_LINK: Final = {
    "GET /api/v1/results/{name:path}",
    "GET /api/v1/inputs/{name:path}",
}  # test_hidden.py
MAKES: Final = {
    # What comes of it is the caller's own; so must be uploads that it names (test_hidden.py).
    "POST /api/v1/tryon/sessions",
    "POST /api/tryon/sessions",
    "POST /api/try-on",
    "POST /api/v1/tryon/batches",
    "POST /api/try-on/batch",
    "POST /api/v1/process-tryon",
    "POST /api/v1/person/analyse",
    "POST /api/v1/bodies",
    "POST /api/v1/recommendations",
    "POST /api/v1/uploads",
    "POST /api/v1/keys",
    "POST /api/v1/webhooks",
}
NOBODYS: Final = {
    "GET /",
    "GET /docs",
    "GET /api/docs",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /api/health",
    "GET /metrics",
    "GET /api/v1/models",
    "GET /api/v1/receipts/key",
    # The catalogue is everybody's to see, and to change for whoever has the scope.
    "GET /api/v1/garments",
    "POST /api/v1/garments",
    "GET /api/v1/garments/{garment_id}",
    "DELETE /api/v1/garments/{garment_id}",
    # A sign-in is what is sent; a callback is opened by the secret in its path.
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/engines/pixazo/callback/{token}",
    # The administrator's.
    "GET /api/v1/admin/models/{name}/versions",
    "POST /api/v1/admin/models/{name}/versions",
    "DELETE /api/v1/admin/models/{name}/versions/{version}",
    "GET /api/v1/admin/models/{name}/rollouts/{rollout_id}",
    "POST /api/v1/admin/models/{name}/rollouts/{rollout_id}/rollback",
}
CLOSED: Final = {"visitor": httpx.codes.UNAUTHORIZED, "server": httpx.codes.FORBIDDEN}
"""What those hear at the door of the keys who may have none, by their kind: a visitor is asked to
sign in, and no key manages keys. Nothing is looked for, and whatever they name, they hear the same:
it is no more than the list of one's own keys says to them, and tells of nobody's. To everybody else
a foreign key is not there, as any other thing."""
VOLATILE: Final = {"x-request-id", "ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"}
"""Headers that differ from call to call, whatever is asked."""


def parts(route: str) -> set[str]:
    return set(re.findall(r"{(\w+)", route))


def test_of_every_route_it_is_known_whose_is_what_it_shows() -> None:
    there = routes(create_app(Settings()))
    naming = {route for route in there if parts(route) & OWNED}
    told = ONLY_ONES_OWN | BY_ITS_LINK | MAKES | NOBODYS
    assert there.keys() - naming <= told, "say whose it is, and who else may see it"
    assert all(len(parts(route)) == 1 for route in naming)
    assert {part for route in naming for part in parts(route)} == OWNED


async def outcome(place: Place, one: Somebody, route: str, name: str) -> tuple[int, object, object]:
    """All that an answer tells: status, headers, body; but for what is new with every call."""
    method, _, path = route.partition(" ")
    url = re.sub(r"{\w+[^}]*}", name, path)
    if method == SOCKET:
        answer = await asked_by_socket(application(place), url, one.headers)
    else:
        headers = {**one.headers, "Last-Event-ID": "1", "Idempotency-Key": "mine"}
        answer = await place.gateway.client.request(method, url, headers=headers)
    told = {key: value for key, value in answer.headers.items() if key not in VOLATILE}
    return answer.status_code, told, answer.text.replace(answer.headers["x-request-id"], "")


def asking(part: str, number: int, others: list[Somebody]) -> list[Somebody]:
    """Who tries a thing of somebody's: one after the other; of each key, one who has keys, too."""
    owners = [other for other in others if other.kind not in CLOSED] if part == "key_id" else []
    return [some[number % len(some)] for some in (others, owners) if some]


def refusal(part: str, one: Somebody) -> int:
    """The status that says no more than that there is nothing."""
    closed = CLOSED.get(one.kind) if part == "key_id" else None
    return closed or httpx.codes.NOT_FOUND


async def look_about(place: Place, everybody: list[Somebody]) -> tuple[int, list[Any]]:
    """Have everything asked for by another: how often, and where more was learned than nothing."""
    there = routes(application(place))
    naming = [(route, *parts(route)) for route in there if parts(route) & OWNED]
    nothing: dict[tuple[str, str], object] = {}
    tries, learned = 0, []
    for one in everybody:
        others = [other for other in everybody if other is not one]
        asked = [
            (route, part, name, other)
            for route, part in naming
            for number, name in enumerate(one.things[part])
            for other in asking(part, number, others)
        ]
        for route, part, name, other in asked:
            known = (other.owner, route)
            if known not in nothing:
                nothing[known] = await outcome(place, other, route, "0" * len(name))
            told = await outcome(place, other, route, name)
            if told != nothing[known] or told[0] != refusal(part, other):
                learned.append((other.kind, route, told))
            tries += 1
    return tries, learned


async def nobody_learns_anything(place: Place, users: int, objects: int) -> int:
    everybody = await crowd(place, users)
    assert len({one.owner for one in everybody}) == users
    for one in everybody:
        await furnish(place, one, objects)
        assert sum(len(ids) for ids in one.things.values()) == objects
    before = [await belongings(place, one) for one in everybody]
    tries, learned = await look_about(place, everybody)
    assert learned == []
    assert [await belongings(place, one) for one in everybody] == before
    for one, seen in zip(everybody, before, strict=True):
        assert seen["sessions"].keys() == {*one.things["session_id"]}
    return tries


@pytest.mark.slow
async def test_twenty_users_with_fifty_things_see_nothing_of_each_other(tmp_path: Path) -> None:
    async with signing_in(tmp_path, **SECTIONS) as place:
        assert await nobody_learns_anything(place, USERS, OBJECTS) > USERS * OBJECTS


@pytest.mark.slow
async def test_nor_where_everything_is_in_postgres(tmp_path: Path, postgres_url: str) -> None:
    database = {"database": {"url": postgres_url}}
    async with signing_in(tmp_path, **{**SECTIONS, **database}) as place:
        assert await nobody_learns_anything(place, users=6, objects=10) > 0
