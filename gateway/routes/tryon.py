"""POST /api/v1/process-tryon: one call, one answer."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

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
    NotFound,
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
from gateway.schemas import TryOnResponse
from gateway.services.tryon import TryOnOutcome

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
            InferenceFailed,
            ModelNotLoaded,
            OutOfMemory,
            Busy,
            StorageFailed,
            TimedOut,
        ),
    },
)
async def process_tryon(request: Request, r: R) -> TryOnResponse | Response:
    """Put the garment on the person, and answer with a link to the picture.

    With `Accept: image/*` the answer is the picture itself.
    """
    with r.tryon.admission():
        asked = await read_tryon(request, r.settings.uploads)
        outcome = await r.tryon.run(asked)
    if prefers_image(request.headers.get("accept", "")):
        return await _picture(outcome, r)
    return _described(outcome, r, asked.request_id)


def _described(outcome: TryOnOutcome, r: Resources, request_id: str) -> TryOnResponse:
    links = r.results.links(outcome.result)
    return TryOnResponse(
        request_id=request_id,
        result_url=links.urls[0],
        result_urls=list(links.urls),
        expires_at=datetime.fromtimestamp(links.expires_at, UTC),
        engine=outcome.engine.name,
        model_version=outcome.result.model_version,
        cached=outcome.is_cached,
        processing_time_ms=outcome.processing_time_ms,
        metadata=dict(outcome.result.metadata),
    )


async def _picture(outcome: TryOnOutcome, r: Resources) -> Response:
    stored = await r.results.open(outcome.result.names[0])
    headers = {
        "Cache-Control": "private, no-store",
        "X-Engine": outcome.engine.name,
        "X-Cached": str(outcome.is_cached).lower(),
        "X-Kept-Share": str(outcome.result.metadata.get("kept_share", "")),
        "Vary": "Accept",
    }
    return Response(stored.content, media_type=stored.media_type, headers=headers)
