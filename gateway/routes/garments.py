"""/api/v1/garments: a catalogue of garments to try on by name, each kept until it is deleted."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from gateway.deps import R, needs
from gateway.documentation.openapi import (
    BODY_ERRORS,
    ENGINE_ERRORS,
    GARMENT_BODY,
    PICTURE_ERRORS,
    errors,
)
from gateway.domain.garments import ID_PATTERN
from gateway.domain.identity import Scope
from gateway.errors.kinds import InvalidInput, NotFound, PinsFull, StorageFailed
from gateway.intake.path_ids import PathId
from gateway.intake.tryon import read_garment
from gateway.schemas.garments import GarmentResponse, GarmentsResponse
from gateway.services.catalogue import GarmentReference
from gateway.streams.presence import while_there

router = APIRouter(prefix="/api/v1/garments", tags=["garments"])

_FIELD: Final = "garment_id"


@router.post(
    "",
    status_code=201,
    dependencies=[needs(Scope.CATALOGUE, asks_engine=True)],
    openapi_extra={"requestBody": GARMENT_BODY},
    responses=errors(NotFound, *BODY_ERRORS, *PICTURE_ERRORS, *ENGINE_ERRORS, PinsFull),
)
async def add(request: Request, r: R) -> GarmentResponse:
    """Keep a garment, and have its engine look at it before anybody wears it.

    `warmed` says whether the engine did, `reason` why not: `not_needed` by an engine that gains
    nothing from it, else the code of an error, with which the garment is kept all the same.
    """
    with r.admission.one():
        asked = await read_garment(request, r.settings.uploads)
        garment = await while_there(request.receive, r.garments.add(asked))
    return GarmentResponse.of(garment)


@router.get("", dependencies=[needs(Scope.READ)], responses=errors(InvalidInput, StorageFailed))
async def page(
    r: R,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[
        str | None, Query(pattern=ID_PATTERN, description="of the page before")
    ] = None,
) -> GarmentsResponse:
    """List the garments, the newest first."""
    found = await r.catalogue.page(cursor, limit)
    return GarmentsResponse(
        garments=[GarmentResponse.of(garment) for garment in found.garments],
        next_cursor=found.following,
    )


@router.get(
    "/{garment_id}",
    dependencies=[needs(Scope.READ)],
    responses=errors(NotFound, InvalidInput, StorageFailed),
)
async def one(garment_id: PathId, r: R) -> GarmentResponse:
    """Say what is known of a garment."""
    return GarmentResponse.of(await r.catalogue.find(GarmentReference(_FIELD, garment_id)))


@router.delete(
    "/{garment_id}",
    status_code=204,
    dependencies=[needs(Scope.CATALOGUE)],
    response_class=Response,
    responses=errors(NotFound, InvalidInput, StorageFailed),
)
async def remove(garment_id: PathId, request: Request, r: R) -> None:
    """Erase a garment for good; its engine forgets it, too."""
    reference = GarmentReference(_FIELD, garment_id)
    await r.garments.remove(reference, request.scope["request_id"], request.scope["caller"].owner)
