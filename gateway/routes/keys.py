"""/api/v1/keys: API keys for servers, made, listed and revoked by their owners."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response

from gateway.deps import R, needs
from gateway.documentation.openapi import errors
from gateway.domain.identity import Caller, Kind, Scope
from gateway.errors.kinds import (
    Conflict,
    DatabaseFailed,
    InvalidInput,
    MalformedBody,
    NotFound,
    SlowBody,
    TooLarge,
    TypeNotAllowed,
)
from gateway.errors.tokens import NotPermitted
from gateway.intake.credentials import credentials_of
from gateway.intake.path_ids import PathId
from gateway.intake.tryon import from_json
from gateway.resources import Resources
from gateway.schemas.auth import KeyBody, KeyResponse, KeysResponse, NewKeyResponse

router = APIRouter(prefix="/api/v1/keys", tags=["identity"])

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/KeyBody"},
                "example": {"name": "shop server", "scopes": ["read", "tryon"]},
            }
        },
    }
}
Owner = Annotated[Caller, needs(Scope.KEYS)]


@router.post(
    "",
    status_code=201,
    openapi_extra=_BODY,
    responses=errors(
        NotFound,
        MalformedBody,
        SlowBody,
        TooLarge,
        TypeNotAllowed,
        InvalidInput,
        Conflict,
        NotPermitted,
        DatabaseFailed,
    ),
)
async def make(request: Request, response: Response, r: R, caller: Owner) -> NewKeyResponse:
    """Make a key; it is shown this once, and only its hash is kept.

    It acts for its owner, with the scopes that it is given, which its maker must have.
    """
    body = await from_json(request, KeyBody)
    wish = body.wish(_owner(caller, body))
    if not wish.scopes <= caller.scopes:
        raise NotPermitted("You cannot give scopes that you do not have.")
    key, text = await r.doors.keys.make(wish)
    await _noted(request, r, "key.made", key.prefix, caller)
    response.headers["Cache-Control"] = "no-store"
    return NewKeyResponse.made(key, text)


@router.get("", responses=errors(NotFound, DatabaseFailed))
async def listed(r: R, caller: Owner) -> KeysResponse:
    """List one's keys; the administrator sees everybody's."""
    keys = await r.doors.keys.of(_seen(caller))
    return KeysResponse(keys=[KeyResponse.of(key) for key in keys])


@router.delete(
    "/{key_id}", status_code=204, responses=errors(NotFound, InvalidInput, DatabaseFailed)
)
async def revoke(key_id: PathId, request: Request, r: R, caller: Owner) -> None:
    """Revoke a key: it opens nothing from now on."""
    await r.doors.keys.revoke(key_id, _seen(caller))
    await _noted(request, r, "key.revoked", key_id, caller)


def _seen(caller: Caller) -> str | None:
    """Whose keys a caller sees; None: everybody's."""
    return None if caller.kind is Kind.ADMIN else caller.owner


def _owner(caller: Caller, body: KeyBody) -> str:
    """Whose a new key is; empty: its own."""
    if caller.kind is Kind.ADMIN:
        return body.client
    if body.owner is not None:
        raise NotPermitted("Only the administrator makes keys for others.")
    return caller.owner


async def _noted(request: Request, r: Resources, event: str, key: str, caller: Caller) -> None:
    shown = credentials_of(request, r.doors.cookies.access)
    await r.doors.identity.note(event, shown, key, caller.owner)
