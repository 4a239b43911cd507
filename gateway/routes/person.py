"""POST /api/v1/person/analyse: what a photo says of a person, before anything is tried on."""

from fastapi import APIRouter, Request

from gateway.deps import R, needs
from gateway.documentation.openapi import (
    BODY_ERRORS,
    ENGINE_ERRORS,
    PERSON_BODY,
    PICTURE_ERRORS,
    errors,
)
from gateway.domain.analysis import Analysis
from gateway.domain.identity import Scope
from gateway.domain.limits import Limit
from gateway.errors.kinds import NotFound
from gateway.intake.tryon import read_person
from gateway.resources import Resources
from gateway.schemas.answers import KeyPointResponse, PersonResponse, served
from gateway.services.inference import Answer
from gateway.streams.presence import while_there

router = APIRouter(
    prefix="/api/v1",
    tags=["person"],
    dependencies=[needs(Scope.TRYON, Limit.INFERENCE, asks_engine=True)],
)


@router.post(
    "/person/analyse",
    openapi_extra={"requestBody": PERSON_BODY},
    responses=errors(*BODY_ERRORS, *PICTURE_ERRORS, *ENGINE_ERRORS, NotFound),
)
async def analyse(request: Request, r: R) -> PersonResponse:
    """Say where the clothes are, how the body stands, and what a try-on would repaint.

    The mask may be edited and sent back as `mask` of a try-on, the picture of the body's surface
    as `densepose`: as files, or as base64 or uploads within JSON.
    """
    with r.admission.one():
        asked = await read_person(request, r.settings.uploads)
        answer = await while_there(request.receive, r.person.analyse(asked))
    return _described(answer, r, asked.request_id)


def _described(answer: Answer, r: Resources, request_id: str) -> PersonResponse:
    told = Analysis.of(answer.result.metadata)
    links = r.results.links(answer.result)
    urls = told.by_name(links.urls)
    return PersonResponse(
        **served(answer, request_id, links.expires_at),
        mask_url=urls["mask"],
        parse_map_url=urls["parse_map"],
        densepose_url=urls["densepose"],
        width_px=told.width_px,
        height_px=told.height_px,
        keypoints=[
            KeyPointResponse(name=name, x_px=x_px, y_px=y_px, confidence=confidence)
            for name, (x_px, y_px, confidence) in told.found()
        ],
        labels=told.labels,
        warnings=told.warnings,
        models=told.models,
    )
