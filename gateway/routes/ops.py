"""Health for people and for balancers, and metrics for Prometheus."""

from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from gateway import __version__
from gateway.deps import PUBLIC, R
from gateway.schemas.answers import ComponentResponse, HealthResponse, StatusResponse
from gateway.services.health import Health
from gateway.settings.features import features

router = APIRouter(tags=["operations"], dependencies=[PUBLIC])
_UNAVAILABLE: Final = 503


@router.get("/health", responses={_UNAVAILABLE: {"model": HealthResponse}})
async def health(r: R, response: Response) -> HealthResponse:
    """How everything is, as the last round of checks found it; 503 when unhealthy."""
    report = r.health.report()
    if report.health is Health.UNHEALTHY:
        response.status_code = _UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
    return HealthResponse.model_validate(
        {
            "status": report.health.name.lower(),
            "version": __version__,
            "environment": r.settings.environment,
            "uptime_s": round(report.uptime_s, 1),
            "checked_s_ago": report.checked_s_ago and round(report.checked_s_ago, 1),
            "features": {
                name: {"on": feature.is_on, "setting": feature.setting}
                for name, feature in features(r.settings).items()
            },
            "components": {
                name: ComponentResponse.model_validate(
                    {"status": part.health.name.lower(), "details": dict(part.details)}
                )
                for name, part in report.components.items()
            },
        }
    )


@router.get("/health/live")
async def live() -> StatusResponse:
    """The process answers; restart it when this does not."""
    return StatusResponse(status="alive")


@router.get("/health/ready", responses={_UNAVAILABLE: {"model": StatusResponse}})
async def ready(r: R, response: Response) -> StatusResponse:
    """Whether try-ons can be served now; 503 when not."""
    if r.health.report().health is Health.UNHEALTHY:
        response.status_code = _UNAVAILABLE
        return StatusResponse(status="not_ready")
    return StatusResponse(status="ready")


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def metrics(r: R) -> Response:
    """Every metric in the Prometheus text format."""
    return Response(r.metrics.render(), media_type=CONTENT_TYPE_LATEST)
