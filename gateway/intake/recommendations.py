"""Reads what recommendations are asked of."""

import asyncio
from typing import Final

from starlette.requests import Request

from gateway.intake.tryon import PERSON, Sent, from_form_of_several, from_json, is_form, source_of
from gateway.schemas.recommendations import (
    GENERATED,
    MOST_WORN,
    WARDROBE,
    RecommendationBody,
    RecommendationOptions,
)
from gateway.services.pictures import Source
from gateway.services.recommendations import RecommendationRequest
from gateway.settings.tree import UploadSettings

_SEVERAL: Final = {WARDROBE: MOST_WORN, GENERATED: MOST_WORN}


async def read_recommendation(request: Request, limits: UploadSettings) -> RecommendationRequest:
    """Read a request, multipart or JSON; raises the VAL errors."""
    caller: str = request.scope["caller"].owner
    if is_form(request):
        form, options = await from_form_of_several(
            request, limits, RecommendationOptions, PERSON, _SEVERAL
        )
        return RecommendationRequest(
            person=form.files[PERSON],
            wardrobe=tuple(form.several.get(WARDROBE, ())),
            generated=tuple(form.several.get(GENERATED, ())),
            max_results=options.max_results,
            caller=caller,
        )
    body = await from_json(request, RecommendationBody)
    return await asyncio.to_thread(_decoded, body, Sent.by(request, limits), caller)


def _decoded(body: RecommendationBody, sent: Sent, caller: str) -> RecommendationRequest:
    def sources(name: str) -> tuple[Source, ...]:
        given = enumerate(getattr(body, name))
        return tuple(source_of(f"{name}.{at}", one, sent) for at, one in given)

    return RecommendationRequest(
        person=source_of(PERSON, body.user_image, sent),
        wardrobe=sources(WARDROBE),
        generated=sources(GENERATED),
        max_results=body.max_results,
        caller=caller,
    )
