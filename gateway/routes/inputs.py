"""The pictures that sessions were made with: for their owners alone, by links of theirs."""

from typing import Annotated

from fastapi import APIRouter, Response

from gateway.deps import PUBLIC, R, needs
from gateway.documentation.openapi import errors
from gateway.domain.identity import Caller, Scope
from gateway.domain.uploads import ImageType
from gateway.errors.kinds import DatabaseFailed, InvalidInput, NotFound
from gateway.intake.path_ids import PathId
from gateway.intake.session_headers import known_owner
from gateway.routes.results import BY_LINK, Expires, Name, Signature, picture
from gateway.schemas.inputs import InputsResponse, inputs_described
from gateway.services.pictures import INPUTS
from gateway.services.results import OpenedImage

router = APIRouter(prefix="/api/v1")


@router.get(
    "/tryon/sessions/{session_id}/inputs",
    tags=["sessions"],
    responses=errors(NotFound, InvalidInput, DatabaseFailed),
)
async def inputs(
    session_id: PathId,
    r: R,
    caller: Annotated[Caller, needs(Scope.READ)],
) -> InputsResponse:
    """Give links to the pictures that a session was made with, as long as it is kept."""
    found = await r.sessions.get(session_id, known_owner(caller))
    return inputs_described(found, r.results)


@router.get(
    "/inputs/{name:path}",
    tags=["results"],
    dependencies=[PUBLIC],
    response_class=Response,
    responses=BY_LINK,
)
async def one(name: Name, expires: Expires, signature: Signature, r: R) -> Response:
    """The picture that somebody sent; only as its owner's own link names it."""
    left_s = r.results.check(INPUTS + name, expires, signature)
    await r.sessions.check_shown(name)
    content = await r.pictures.stored(name)
    return picture(OpenedImage(content, ImageType.PNG.media_type, left_s))
