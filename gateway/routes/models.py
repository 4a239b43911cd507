"""GET /api/v1/models: the engines of this deployment, and what each can do."""

from dataclasses import asdict

from fastapi import APIRouter

from gateway.answers import EngineResponse, ModelsResponse, PartResponse
from gateway.deps import R
from gateway.domain.jobs import Readiness
from gateway.domain.options import Engine
from gateway.resources import Resources

router = APIRouter(prefix="/api/v1", tags=["models"])


@router.get("/models")
async def models(r: R) -> ModelsResponse:
    """List the engines, the default one first: what each can do, and whether it is ready.

    One that is configured but not deployed is not listed.
    """
    default = r.settings.tryon.default_engine
    analyser = [] if r.analyser is None else [r.analyser]
    return ModelsResponse(
        engines=[
            _described(r.engines[name], r, is_default=name == default)
            for name in sorted(r.engines, key=lambda name: (name != default, name))
            if name == default or _is_deployed(r.engines[name], r)
        ],
        analysers=[_described(one, r, is_default=True) for one in analyser if _is_deployed(one, r)],
    )


def _is_deployed(engine: Engine, r: Resources) -> bool:
    return r.models.state(engine.model).readiness is not Readiness.MISSING


def _described(engine: Engine, r: Resources, *, is_default: bool) -> EngineResponse:
    state = r.models.state(engine.model)
    return EngineResponse(
        engine=engine.name,
        is_default=is_default,
        ready=state.readiness is Readiness.READY,
        model_version=state.version,
        categories=list(engine.categories),
        options=sorted(engine.options),
        ranges=dict(engine.ranges),
        defaults=dict(engine.defaults),
        deadline_s=(engine.patience or r.settings.torchserve.patience).deadline_s,
        licence=engine.licence,
        commercial_use=engine.commercial_use,
        parts=[PartResponse(**asdict(part)) for part in engine.parts],
    )
