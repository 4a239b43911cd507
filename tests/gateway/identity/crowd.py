"""Twenty who ask, of every kind, and fifty things of each that a path can name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final

import httpx
from fastapi import FastAPI

from gateway.domain.sessions import Ask, Draft, Kind
from tests.gateway.running import Gateway
from tests.gateway.signing_in import Place

USERS: Final = 20
OBJECTS: Final = 50
ADMIN_TOKEN: Final = "the token of the administrator"  # noqa: S105 - of these tests
SECTIONS: Final[Mapping[str, Any]] = {
    "admin": {"token": ADMIN_TOKEN},
    "sessions": {"is_running": False},
    "webhooks": {"is_running": False},
}
"""A gateway that makes nothing and tells nobody: what is accepted stays as it is."""

_FEW: Final = 6


@dataclass(frozen=True, slots=True)
class Somebody:
    """One who asks: what he sends to be known, the name of what is his, and his things' ids."""

    kind: str
    headers: Mapping[str, str]
    owner: str
    things: dict[str, list[str]] = field(default_factory=dict)


async def crowd(place: Place, users: int = USERS) -> list[Somebody]:
    """So many callers: signed-in users, servers with a key, visitors with a token of their own."""
    makers = (_user, _server, _visitor)
    return [await makers[number % len(makers)](place, number) for number in range(users)]


async def furnish(place: Place, one: Somebody, objects: int = OBJECTS) -> None:
    """Give somebody things of every kind that he can have; none has a picture."""
    few = min(_FEW, objects // 5)
    one.things["webhook_id"] = [await _endpoint(place, one, number) for number in range(few)]
    told = await _session(place.gateway, one)
    await _asked(place, one, "POST", f"/api/v1/tryon/sessions/{told}/cancel")
    deliveries = await _asked(place, one, "GET", f"/api/v1/tryon/sessions/{told}/deliveries")
    one.things["message_id"] = [each["message_id"] for each in deliveries["deliveries"]]
    one.things["receipt_id"] = [await _erased(place, one) for _ in range(few)]
    keys = few if one.kind == "user" else 0
    one.things["key_id"] = [await _key(place, one) for _ in range(keys)]
    left = objects - sum(len(ids) for ids in one.things.values()) - 1
    sessions = [await _session(place.gateway, one, items=1 + number % 2) for number in range(left)]
    one.things["session_id"] = [told, *sessions]


async def sessions_of(place: Place, one: Somebody, page: int = 100) -> dict[str, str]:
    """All sessions that somebody is shown, and how each stands."""
    found: dict[str, str] = {}
    cursor: str | None = None
    while True:
        asked = {"limit": str(page)} | ({} if cursor is None else {"cursor": cursor})
        body = await _asked(place, one, "GET", "/api/v1/tryon/sessions", params=asked)
        found |= {each["session_id"]: each["state"] for each in body["sessions"]}
        cursor = body["next_cursor"]
        if cursor is None:
            return found


async def belongings(place: Place, one: Somebody) -> Mapping[str, Any]:
    """Everything that somebody is shown of his own, to be compared with what he is shown later."""
    seen: dict[str, Any] = {"sessions": await sessions_of(place, one)}
    seen["webhooks"] = await _asked(place, one, "GET", "/api/v1/webhooks")
    seen["deliveries"] = [
        await _asked(place, one, "GET", f"/api/v1/webhooks/{webhook_id}/deliveries")
        for webhook_id in one.things["webhook_id"]
    ]
    if one.kind == "user":
        seen["keys"] = await _asked(place, one, "GET", "/api/v1/keys")
    return seen


def application(place: Place) -> FastAPI:
    """The application behind the gateway's client."""
    app: FastAPI = place.gateway.client._transport.app  # type: ignore[attr-defined]
    return app


def pictures_of(gateway: Gateway) -> Mapping[str, tuple[str, bytes, str]]:
    """A person and a garment, as a form sends them."""
    named = {"user_image": gateway.person, "garment_image": gateway.garment}
    return {name: ("photo.jpg", content, "image/jpeg") for name, content in named.items()}


async def _user(place: Place, number: int) -> Somebody:
    return await _known(place, "user", place.bearer(email=f"user{number}@example.org"))


async def _server(place: Place, number: int) -> Somebody:
    admin = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    wish = {"name": "server", "owner": f"shop{number}"}
    made = await place.gateway.client.post("/api/v1/keys", headers=admin, json=wish)
    return await _known(place, "server", {"X-API-Key": made.json()["key"]})


async def _visitor(place: Place, number: int) -> Somebody:
    return await _known(place, "visitor", {"X-User-Token": f"{number:02d}".ljust(32, "u")})


async def _known(place: Place, kind: str, headers: Mapping[str, str]) -> Somebody:
    me = await place.gateway.client.get("/api/v1/auth/me", headers=headers)
    return Somebody(kind, headers, me.json()["owner"])


async def _session(gateway: Gateway, one: Somebody, items: int = 1) -> str:
    now = gateway.clock.now()
    asks: Sequence[Ask] = [
        Ask({"user_image": "p", "garment_image": "g"}, {}, garment=garment)
        for garment in range(items)
    ]
    draft = Draft(
        session_id=token_hex(16),
        owner=one.owner,
        kind=Kind.STANDARD if items == 1 else Kind.BATCH,
        engine="geometric",
        asks=tuple(asks),
        request_id="0123456789abcdef",
        created_at=now,
        expires_at=now + 3600,
    )
    return (await gateway.resources.sessions._book.create(draft)).session_id


async def _erased(place: Place, one: Somebody) -> str:
    session_id = await _session(place.gateway, one)
    receipt = await _asked(place, one, "DELETE", f"/api/v1/tryon/sessions/{session_id}")
    return str(receipt["receipt_id"])


async def _endpoint(place: Place, one: Somebody, number: int) -> str:
    told = {"url": f"https://example.org/{number}", "events": ["session.cancelled"]}
    made = await _asked(place, one, "POST", "/api/v1/webhooks", json=told)
    return str(made["webhook_id"])


async def _key(place: Place, one: Somebody) -> str:
    made = await _asked(place, one, "POST", "/api/v1/keys", json={"name": "mine"})
    return str(made["key_id"])


async def _asked(place: Place, one: Somebody, method: str, path: str, **told: Any) -> Any:  # noqa: ANN401
    answer: httpx.Response = await place.gateway.client.request(
        method, path, headers=one.headers, **told
    )
    assert answer.is_success, answer.text
    return answer.json()
