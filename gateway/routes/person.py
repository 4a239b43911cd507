"""POST /api/v1/person/analyse: what a photo says of a person, before anything is tried on."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request

from gateway.answers import KeyPointResponse, PersonResponse
from gateway.deps import R
from gateway.documentation import PERSON_BODY, errors
from gateway.domain.analysis import Analysis
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
from gateway.intake import read_person
from gateway.resources import Resources
from gateway.services.inference import Answer

router = APIRouter(prefix="/api/v1", tags=["person"])


@router.post(
    "/person/analyse",
    openapi_extra={"requestBody": PERSON_BODY},
    responses=errors(
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
)
async def analyse(request: Request, r: R) -> PersonResponse:
    """Say where the clothes are, how the body stands, and what a try-on would repaint.

    The mask may be edited and sent back as `mask` of a try-on, the picture of the body's surface
    as `densepose`: as files, or as base64 or uploads within JSON.
    """
    with r.admission.one():
        asked = await read_person(request, r.settings.uploads)
        answer = await r.person.analyse(asked)
    return _described(answer, r, asked.request_id)


def _described(answer: Answer, r: Resources, request_id: str) -> PersonResponse:
    told = Analysis.of(answer.result.metadata)
    links = r.results.links(answer.result)
    urls = told.by_name(links.urls)
    return PersonResponse(
        request_id=request_id,
        mask_url=urls["mask"],
        parse_map_url=urls["parse_map"],
        densepose_url=urls["densepose"],
        expires_at=datetime.fromtimestamp(links.expires_at, UTC),
        width_px=told.width_px,
        height_px=told.height_px,
        keypoints=[
            KeyPointResponse(name=name, x_px=x_px, y_px=y_px, confidence=confidence)
            for name, (x_px, y_px, confidence) in told.found()
        ],
        labels=told.labels,
        warnings=told.warnings,
        models=told.models,
        engine=answer.engine.name,
        licence=answer.engine.licence,
        commercial_use=answer.engine.commercial_use,
        model_version=answer.result.model_version,
        cached=answer.is_cached,
        processing_time_ms=answer.processing_time_ms,
    )
