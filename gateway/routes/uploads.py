"""POST /api/v1/uploads: store a picture once, refer to it often."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request

from gateway.deps import R, needs
from gateway.documentation.openapi import BODY_ERRORS, PICTURE_ERRORS, UPLOAD_BODY, errors
from gateway.domain.identity import Caller, Scope
from gateway.intake.tryon import read_upload
from gateway.schemas.answers import UploadResponse

router = APIRouter(prefix="/api/v1", tags=["uploads"], dependencies=[needs(Scope.TRYON)])


@router.post(
    "/uploads",
    status_code=201,
    openapi_extra={"requestBody": UPLOAD_BODY},
    responses=errors(*BODY_ERRORS, *PICTURE_ERRORS),
)
async def upload(request: Request, r: R) -> UploadResponse:
    """Check a picture and keep it; name it by `upload_id` in later requests until it expires.

    An upload is its sender's: nobody else's request finds it. That of a sender who shows nothing,
    not even a token of his own, is found by whoever knows its id.
    """
    caller: Caller = request.scope["caller"]
    read = await read_upload(request, r.settings.uploads)
    stored = await r.pictures.keep(read, caller.keeper)
    return UploadResponse(
        upload_id=stored.upload_id,
        expires_at=datetime.fromtimestamp(stored.expires_at, UTC),
        width_px=stored.picture.width_px,
        height_px=stored.picture.height_px,
    )
