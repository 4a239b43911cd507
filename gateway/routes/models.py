"""GET /api/v1/models: the engines of this deployment, and what each can do."""

from fastapi import APIRouter

from gateway.deps import R
from gateway.domain.jobs import Readiness
from gateway.schemas import EngineResponse, ModelsResponse

router = APIRouter(prefix="/api/v1", tags=["models"])


@router.get("/models")
async def models(r: R) -> ModelsResponse:
    """List the engines: categories, options, licence, and whether each is ready."""
    states = {name: r.models.state(engine.model) for name, engine in r.engines.items()}
    return ModelsResponse(
        engines=[
            EngineResponse(
                engine=name,
                is_default=name == r.settings.tryon.default_engine,
                ready=states[name].readiness is Readiness.READY,
                model_version=states[name].version,
                categories=list(engine.categories),
                options=sorted(engine.options),
                licence=engine.licence,
                commercial_use=engine.commercial_use,
            )
            for name, engine in r.engines.items()
        ]
    )
