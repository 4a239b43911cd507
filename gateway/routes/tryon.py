"""POST /api/v1/process-tryon: one call, one answer."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from gateway.answers import TryOnResponse
from gateway.deps import R
from gateway.documentation import TRYON_BODY, TRYON_IMAGE, errors
from gateway.errors import (
    BadDimensions,
    BadFileName,
    Busy,
    ContentMismatch,
    InferenceFailed,
    InvalidInput,
    MalformedBody,
    ModelNotLoaded,
    NotDeployed,
    NotFound,
    NotLicensed,
    OutOfMemory,
    SlowBody,
    StorageFailed,
    TimedOut,
    TooLarge,
    TypeNotAllowed,
    Unfit,
)
from gateway.intake import read_tryon
from gateway.negotiation import prefers_image
from gateway.resources import Resources
from gateway.services.inference import Answer

router = APIRouter(prefix="/api/v1", tags=["try-on"])


@router.post(
    "/process-tryon",
    response_model=TryOnResponse,
    openapi_extra={"requestBody": TRYON_BODY},
    responses={
        200: TRYON_IMAGE,
        **errors(
            MalformedBody,
            ContentMismatch,
            BadFileName,
            NotFound,
            SlowBody,
            TooLarge,
            TypeNotAllowed,
            InvalidInput,
            BadDimensions,
            Unfit,
            NotLicensed,
            InferenceFailed,
            ModelNotLoaded,
            NotDeployed,
            OutOfMemory,
            Busy,
            StorageFailed,
            TimedOut,
        ),
    },
)
async def process_tryon(request: Request, r: R) -> TryOnResponse | Response:
    """Put the garment on the person, and answer with a link to the picture.

    With `Accept: image/*` the answer is the (first) picture itself. A diffusion engine may take
    minutes; `deadline_s` of `/api/v1/models` says how long at most.
    """
    with r.admission.one():
        asked = await read_tryon(request, r.settings.uploads)
        answer = await r.tryon.run(asked)
    if prefers_image(request.headers.get("accept", "")):
        return await _picture(answer, r)
    return _described(answer, r, asked.request_id)


def _described(answer: Answer, r: Resources, request_id: str) -> TryOnResponse:
    links = r.results.links(answer.result)
    return TryOnResponse(
        request_id=request_id,
        result_url=links.urls[0],
        result_urls=list(links.urls),
        expires_at=datetime.fromtimestamp(links.expires_at, UTC),
        engine=answer.engine.name,
        licence=answer.engine.licence,
        commercial_use=answer.engine.commercial_use,
        model_version=answer.result.model_version,
        cached=answer.is_cached,
        processing_time_ms=answer.processing_time_ms,
        metadata=dict(answer.result.metadata),
    )


async def _picture(answer: Answer, r: Resources) -> Response:
    stored = await r.results.open(answer.result.names[0])
    headers = {
        "Cache-Control": "private, no-store",
        "X-Engine": answer.engine.name,
        "X-Licence": answer.engine.licence,
        "X-Cached": str(answer.is_cached).lower(),
        "X-Kept-Share": str(answer.result.metadata.get("kept_share", "")),
        "Vary": "Accept",
    }
    return Response(stored.content, media_type=stored.media_type, headers=headers)
