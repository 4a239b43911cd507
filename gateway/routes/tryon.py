"""POST /api/v1/process-tryon: one call, one answer."""

from contextlib import ExitStack
from functools import partial

from fastapi import APIRouter, Request, Response

from gateway.deps import R, needs
from gateway.documentation.openapi import (
    BODY_ERRORS,
    ENGINE_ERRORS,
    PICTURE_ERRORS,
    TRYON_BODY,
    TRYON_IMAGE,
    errors,
)
from gateway.domain.identity import Scope
from gateway.domain.limits import Limit
from gateway.errors.kinds import NotFound
from gateway.intake.negotiation import prefers_events, prefers_image
from gateway.intake.tryon import read_tryon
from gateway.ports.models import OnProgress
from gateway.resources import Resources
from gateway.schemas.answers import FallbackResponse, TryOnResponse, served
from gateway.services.inference import Answer
from gateway.services.tryon import TryOnRequest
from gateway.streams.events import EventStream, events_of
from gateway.streams.presence import while_there

router = APIRouter(
    prefix="/api/v1",
    tags=["try-on"],
    dependencies=[needs(Scope.TRYON, Limit.INFERENCE, asks_engine=True)],
)


@router.post(
    "/process-tryon",
    response_model=TryOnResponse,
    openapi_extra={"requestBody": TRYON_BODY},
    responses={
        200: TRYON_IMAGE,
        **errors(*BODY_ERRORS, *PICTURE_ERRORS, *ENGINE_ERRORS, NotFound),
    },
)
async def process_tryon(request: Request, r: R) -> TryOnResponse | Response:
    """Put the garment on the person, and answer with a link to the picture.

    With `Accept: image/*` the answer is the (first) picture itself, with `text/event-stream` a
    stream of events: `progress`, `preview` where `preview_every` asks for some, then `result` with
    the JSON of the plain answer, or `error`. A diffusion engine may take minutes; `deadline_s` of
    `/api/v1/models` says how long at most. Who hangs up ends the work.
    """
    accept = request.headers.get("accept", "")
    with ExitStack() as held:
        held.enter_context(r.admission.one())
        asked = await read_tryon(request, r.settings.uploads)
        if prefers_events(accept):
            events = events_of(partial(_told, asked, r), r.settings.http.still_here_s)
            first = await while_there(request.receive, anext(events))
            return EventStream(first, events, held.pop_all())
        answer = await while_there(request.receive, r.tryon.run(asked))
    if prefers_image(accept):
        return await _picture(answer, r)
    return _described(answer, r, asked.request_id)


async def _told(asked: TryOnRequest, r: Resources, tell: OnProgress) -> TryOnResponse:
    return _described(await r.tryon.run(asked, tell), r, asked.request_id)


def _described(answer: Answer, r: Resources, request_id: str) -> TryOnResponse:
    links, instead = r.results.links(answer.result), answer.result.metadata.get("fallback_from")
    return TryOnResponse(
        **served(answer, request_id, links.expires_at),
        result_url=links.urls[0],
        result_urls=list(links.urls),
        fallback_from=None if instead is None else FallbackResponse.model_validate(instead),
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
