"""What is somebody's is nobody else's: each route that names a thing, tried by everybody else."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from gateway.app import create_app
from gateway.deps import Needs, nobody_in_particular
from gateway.settings.tree import Settings
from tests.gateway.signing_in import Place, signing_in

pytestmark = pytest.mark.anyio

USERS = 20
# What a path's part names, where it is somebody's; each is made by `belongings`.
OWNED = {"session_id", "key_id", "webhook_id", "message_id", "receipt_id"}
# Nobody's in particular: for all to see, the administrator's, or itself the secret that opens it.
SHARED = {"garment_id", "name", "version", "rollout_id", "token"}


def calls(dependant: Dependant) -> list[Any]:
    found = [dependant.call]
    for inner in dependant.dependencies:
        found += calls(inner)
    return found


def routes(app: FastAPI) -> list[tuple[str, set[str], list[Any]]]:
    """Each route's path, its methods, and all that it depends on."""
    found = []
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute | APIWebSocketRoute):
            methods = set(context.methods or ())
            found.append((context.path or "", methods, calls(context.dependant)))
    return found


def test_every_route_says_what_it_needs() -> None:
    silent = [
        path
        for path, _, asked in routes(create_app(Settings()))
        if nobody_in_particular not in asked and not any(isinstance(one, Needs) for one in asked)
    ]
    assert silent == []


def test_every_part_of_a_path_is_known_to_be_somebody_s_or_nobody_s() -> None:
    parts = {
        part
        for path, _, _ in routes(create_app(Settings()))
        for part in re.findall(r"{(\w+)", path)
    }
    assert parts <= OWNED | SHARED, "say whose the new part is, and make one in `belongings`"


async def belongings(place: Place, user: dict[str, str]) -> dict[str, str]:
    """One of each thing that a user can own."""
    client = place.gateway.client
    files = {
        name: ("photo.jpg", content, "image/jpeg")
        for name, content in (
            ("user_image", place.gateway.person),
            ("garment_image", place.gateway.garment),
        )
    }
    session = await client.post("/api/v1/tryon/sessions", headers=user, files=files)
    assert session.status_code == 201, session.text
    key = await client.post("/api/v1/keys", headers=user, json={"name": "mine"})
    told = {"url": "https://example.org/hook"}
    hook = await client.post("/api/v1/webhooks", headers=user, json=told)
    owned = {"session_id": session.json()["session_id"], "key_id": key.json()["key_id"]}
    assert hook.status_code == 201, hook.text
    return owned | {"webhook_id": hook.json()["webhook_id"]}


def named(path: str, owned: dict[str, str]) -> str:
    return re.sub(r"{(\w+)[^}]*}", lambda part: owned.get(part[1], "x" * 24), path)


@pytest.mark.slow
async def test_twenty_users_see_nothing_of_each_other(tmp_path: Path) -> None:
    sections: dict[str, Any] = {"sessions": {"is_running": False}}
    async with signing_in(tmp_path, **sections) as place:
        users = [place.bearer(email=f"user{number}@example.org") for number in range(USERS)]
        owned = [await belongings(place, user) for user in users]
        app = place.gateway.client._transport.app  # type: ignore[attr-defined]
        asked = [
            (method, path)
            for path, methods, _ in routes(app)
            if OWNED & set(re.findall(r"{(\w+)", path))
            for method in methods
        ]
        assert len(asked) > 4
        seen = [
            (method, named(path, things), user_at, answer.status_code)
            for user_at, user in enumerate(users)
            for thing_at, things in enumerate(owned)
            if user_at != thing_at
            for method, path in asked
            if (answer := await tried(place, method, named(path, things), user)).status_code != 404
        ]
        assert seen == []
        for user, things in zip(users, owned, strict=True):
            await _is_whole(place, user, things)


async def tried(place: Place, method: str, path: str, user: dict[str, str]) -> httpx.Response:
    return await place.gateway.client.request(method, path, headers=user)


async def _is_whole(place: Place, user: dict[str, str], things: dict[str, str]) -> None:
    """Nobody else has changed anything, and the owner sees his own and only that."""
    client = place.gateway.client
    sessions = (await client.get("/api/v1/tryon/sessions", headers=user)).json()["sessions"]
    assert [(one["session_id"], one["state"]) for one in sessions] == [
        (things["session_id"], sessions[0]["state"])
    ]
    assert sessions[0]["state"] != "cancelled"
    keys = (await client.get("/api/v1/keys", headers=user)).json()["keys"]
    assert [(one["key_id"], one["revoked_at"]) for one in keys] == [(things["key_id"], None)]
