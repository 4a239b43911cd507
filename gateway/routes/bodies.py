"""POST /api/v1/bodies: people who do not exist, to try garments on."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request

from gateway.answers import BodiesResponse, BodyResponse
from gateway.deps import R
from gateway.documentation import BODIES_BODY, errors
from gateway.domain.bodies import Drawing
from gateway.errors import (
    Busy,
    InferenceFailed,
    InvalidInput,
    MalformedBody,
    ModelNotLoaded,
    NotDeployed,
    NotLicensed,
    OutOfMemory,
    SlowBody,
    StorageFailed,
    TimedOut,
    TooLarge,
    TypeNotAllowed,
    Unfit,
)
from gateway.intake import read_bodies
from gateway.resources import Resources
from gateway.services.inference import Answer

router = APIRouter(prefix="/api/v1", tags=["bodies"])


@router.post(
    "/bodies",
    openapi_extra={"requestBody": BODIES_BODY},
    responses=errors(
        MalformedBody,
        SlowBody,
        TooLarge,
        TypeNotAllowed,
        InvalidInput,
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
)
async def bodies(request: Request, r: R) -> BodiesResponse:
    """Draw adults in plain fitted clothes, head to toe, from numbers and choices alone.

    Every picture is marked as AI-generated, within its file too. Its `seed`, sent alone with
    `count` 1, draws it again. A safety checker, where one is deployed, keeps pictures back.
    """
    r.bodies.engine()
    with r.admission.one():
        asked = await read_bodies(request, r.bodies_schema)
        answer = await r.bodies.draw(asked)
    return _described(answer, r, asked.request_id)


def _described(answer: Answer, r: Resources, request_id: str) -> BodiesResponse:
    links = r.results.links(answer.result)
    told = Drawing.of(answer.result.metadata, len(links.urls))
    return BodiesResponse(
        request_id=request_id,
        images=[
            BodyResponse(url=url, seed=seed)
            for url, seed in zip(links.urls, told.seeds, strict=True)
        ],
        blocked=told.blocked,
        expires_at=datetime.fromtimestamp(links.expires_at, UTC),
        ai_generated=told.ai_generated,
        engine=answer.engine.name,
        licence=answer.engine.licence,
        commercial_use=answer.engine.commercial_use,
        model_version=answer.result.model_version,
        cached=answer.is_cached,
        processing_time_ms=answer.processing_time_ms,
        metadata=dict(answer.result.metadata),
    )
