"""/api/v1/admin/models: versions of a model, and the rollouts that change them."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError

from gateway.deps import R, needs
from gateway.documentation.openapi import errors
from gateway.domain.identity import Scope
from gateway.domain.json_text import parse_object
from gateway.domain.rollouts import Wish
from gateway.errors.kinds import (
    Conflict,
    InvalidInput,
    MalformedBody,
    Misconfigured,
    ModelNotLoaded,
    NotFound,
    SlowBody,
    TooLarge,
    TypeNotAllowed,
)
from gateway.intake.path_ids import PathId
from gateway.responses import invalid_input
from gateway.schemas.admin import (
    RolloutBody,
    RolloutResponse,
    VersionResponse,
    VersionsResponse,
)

_JSON: Final = "application/json"
_ERRORS: Final = (NotFound, InvalidInput)
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        _JSON: {
            "schema": RolloutBody.model_json_schema(),
            "example": {"version": "1.1.0", "share": 0.1, "canary_s": 60},
        }
    },
}


router = APIRouter(
    prefix="/api/v1/admin/models/{name}",
    tags=["administration"],
    dependencies=[needs(Scope.ADMIN)],
)
Name = Annotated[str, Path(description="of the model, as its YAML file is called")]


@router.get("/versions", responses=errors(*_ERRORS, ModelNotLoaded))
async def versions(name: Name, r: R) -> VersionsResponse:
    """List a model's versions: their workers, who is on them, which one serves."""
    running = r.rollouts.running(name)
    return VersionsResponse(
        model=name,
        versions=[VersionResponse.of(one) for one in await r.rollouts.versions(name)],
        rollout_id=None if running is None else running.rollout_id,
    )


@router.post(
    "/versions",
    status_code=202,
    openapi_extra={"requestBody": _BODY},
    responses=errors(
        *_ERRORS,
        MalformedBody,
        SlowBody,
        TooLarge,
        TypeNotAllowed,
        Conflict,
        ModelNotLoaded,
        Misconfigured,
    ),
)
async def roll_out(name: Name, request: Request, r: R) -> RolloutResponse:
    """Have a version serve in place of the one that does, without losing a request.

    It is loaded and warmed up beside the old one, tried by a share of the requests where `share`
    says so, made the default, and the old one unregistered when nobody is on it any more.
    """
    asked = await _read(request)
    archive = await r.rollouts.archive(name, version=asked.version, name=asked.archive)
    canary_s = asked.canary_s or r.settings.rollout.canary_s
    return RolloutResponse.of(await r.rollouts.start(Wish(archive, asked.share, canary_s)))


@router.delete(
    "/versions/{version}", status_code=204, responses=errors(*_ERRORS, Conflict, ModelNotLoaded)
)
async def retire(name: Name, version: str, r: R) -> None:
    """Unregister a version that does not serve and that nobody is on."""
    await r.rollouts.retire(name, version)


@router.get("/rollouts/{rollout_id}", responses=errors(*_ERRORS))
async def rollout(name: Name, rollout_id: PathId, r: R) -> RolloutResponse:
    """Tell how far a rollout is, and how it came there."""
    return RolloutResponse.of(r.rollouts.get(name, rollout_id))


@router.post(
    "/rollouts/{rollout_id}/rollback", status_code=202, responses=errors(*_ERRORS, Conflict)
)
async def roll_back(name: Name, rollout_id: PathId, r: R) -> RolloutResponse:
    """Have a rollout that is under way go back to the version before."""
    return RolloutResponse.of(r.rollouts.back(name, rollout_id))


async def _read(request: Request) -> RolloutBody:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != _JSON:
        raise TypeNotAllowed("Send application/json.", details={"allowed": [_JSON]})
    body = await request.body()
    try:
        return RolloutBody.model_validate(await asyncio.to_thread(parse_object, body))
    except ValidationError as error:
        raise invalid_input(error) from None
