"""POST /api/v1/recommendations: what would go with somebody's clothes."""

from fastapi import APIRouter, Request

from gateway.deps import R, needs
from gateway.documentation.openapi import BODY_ERRORS, PICTURE_ERRORS, errors
from gateway.domain.identity import Scope
from gateway.domain.limits import Limit
from gateway.domain.products import Ranked
from gateway.errors.kinds import NotFound, TimedOut
from gateway.errors.recommendations import EbayFailed, GeminiFailed
from gateway.intake.recommendations import read_recommendation
from gateway.schemas.recommendations import (
    RECOMMENDATION_BODY,
    ProductResponse,
    RecommendationResponse,
)
from gateway.streams.presence import while_there

router = APIRouter(
    prefix="/api/v1",
    tags=["recommendations"],
    dependencies=[needs(Scope.RECOMMENDATIONS, Limit.INFERENCE)],
)


@router.post(
    "/recommendations",
    openapi_extra={"requestBody": RECOMMENDATION_BODY},
    responses=errors(*BODY_ERRORS, *PICTURE_ERRORS, NotFound, GeminiFailed, EbayFailed, TimedOut),
)
async def recommendations(request: Request, r: R) -> RecommendationResponse:
    """Say what to buy that goes with these photos.

    A collage of all of them goes to Google's Gemini, which names keywords; products for these come
    from eBay. `degraded_services` says which of the two was away, so that something else or older
    took its place. Where the deployment has no key for one, the answer is its error, with the
    reason `not_configured`.
    """
    r.recommendations.check_on()
    with r.admission.one():
        asked = await read_recommendation(request, r.settings.uploads)
        found = await while_there(request.receive, r.recommendations.recommend(asked))
    return RecommendationResponse.model_validate(
        {
            "request_id": request.scope["request_id"],
            "keywords": list(found.keywords),
            "products": [_shown(one) for one in found.products],
            "degraded_services": list(found.degraded),
            "cached": found.is_cached,
            "stand_ins": r.settings.recommendations.are_stand_ins,
            "processing_time_ms": found.processing_time_ms,
        }
    )


def _shown(ranked: Ranked) -> ProductResponse:
    product = ranked.product
    return ProductResponse(
        id=product.product_id,
        name=product.name,
        image_url=product.image_url,
        price=float(product.price.amount),
        currency=product.price.currency,
        category=product.category,
        ebay_url=product.page_url,
        relevance_score=round(ranked.score, 4),
    )
