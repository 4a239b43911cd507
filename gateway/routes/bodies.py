"""POST /api/v1/bodies: people who do not exist, to try garments on."""

from fastapi import APIRouter, Request

from gateway.deps import R, needs
from gateway.documentation.openapi import BODIES_BODY, BODY_ERRORS, ENGINE_ERRORS, errors
from gateway.domain.bodies import Drawing
from gateway.domain.identity import Scope
from gateway.domain.limits import Limit
from gateway.intake.tryon import read_bodies
from gateway.resources import Resources
from gateway.schemas.answers import BodiesResponse, BodyResponse, served
from gateway.services.inference import Answer
from gateway.streams.presence import while_there

router = APIRouter(
    prefix="/api/v1",
    tags=["bodies"],
    dependencies=[needs(Scope.TRYON, Limit.INFERENCE, asks_engine=True)],
)


@router.post(
    "/bodies",
    openapi_extra={"requestBody": BODIES_BODY},
    responses=errors(*BODY_ERRORS, *ENGINE_ERRORS),
)
async def bodies(request: Request, r: R) -> BodiesResponse:
    """Draw adults in plain fitted clothes, head to toe, from numbers and choices alone.

    Every picture is marked as AI-generated, within its file too. Its `seed`, sent alone with
    `count` 1, draws it again. A safety checker, where one is deployed, keeps pictures back.
    """
    r.bodies.engine()
    with r.admission.one():
        asked = await read_bodies(request, r.bodies_schema)
        answer = await while_there(request.receive, r.bodies.draw(asked))
    return _described(answer, r, asked.request_id)


def _described(answer: Answer, r: Resources, request_id: str) -> BodiesResponse:
    links = r.results.links(answer.result)
    told = Drawing.of(answer.result.metadata, len(links.urls))
    return BodiesResponse(
        **served(answer, request_id, links.expires_at),
        images=[
            BodyResponse(url=url, seed=seed)
            for url, seed in zip(links.urls, told.seeds, strict=True)
        ],
        blocked=told.blocked,
        ai_generated=told.ai_generated,
        metadata=dict(answer.result.metadata),
    )
