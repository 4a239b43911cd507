"""GET /api/v1/models: the engines of this deployment, what each can do, and on what terms."""

from dataclasses import asdict

from fastapi import APIRouter

from gateway.deps import R, needs
from gateway.domain.identity import Scope
from gateway.domain.jobs import Readiness
from gateway.domain.options import Category, Engine
from gateway.resources import Resources
from gateway.schemas.answers import (
    EngineResponse,
    ModelsResponse,
    PartResponse,
    RegistrationResponse,
)

router = APIRouter(prefix="/api/v1", tags=["models"], dependencies=[needs(Scope.READ)])


@router.get("/models")
async def models(r: R) -> ModelsResponse:
    """List the engines, the default one first: what each can do, and whether it is ready.

    One that is configured but not deployed is not listed, unless it is one that this deployment
    may not use: then `reason` says why.
    """
    default, engines = r.settings.tryon.default_engine, r.registry.engines
    return ModelsResponse(
        engines=[
            _described(engines[name], r, is_default=name == default)
            for name in sorted(engines, key=lambda name: (name != default, name))
            if name == default or _is_listed(engines[name], r)
        ],
        analysers=_single(r.registry.analyser, r),
        bodies=_single(r.registry.drawer, r),
    )


def _single(engine: Engine | None, r: Resources) -> list[EngineResponse]:
    if engine is None or not _is_listed(engine, r):
        return []
    return [_described(engine, r, is_default=True)]


def _is_listed(engine: Engine, r: Resources) -> bool:
    is_deployed = r.models.state(engine.model).readiness is not Readiness.MISSING
    return is_deployed or r.licensing.reason(engine) is not None


def _described(engine: Engine, r: Resources, *, is_default: bool) -> EngineResponse:
    state, reason = r.models.state(engine.model), r.licensing.reason(engine)
    return EngineResponse(
        engine=engine.name,
        is_default=is_default,
        ready=state.readiness is Readiness.READY and reason is None,
        model_version=state.version,
        categories=[Category(name) for name in engine.choices.get("category", ())],
        choices={name: list(names) for name, names in engine.choices.items()},
        options=sorted(engine.options | engine.scheduling),
        ranges=dict(engine.ranges),
        multiples=dict(engine.multiples),
        defaults=dict(engine.defaults),
        presets={name: dict(numbers) for name, numbers in engine.presets.items()},
        deadline_s=(engine.patience or r.settings.torchserve.patience).deadline_s,
        licence=engine.licence,
        commercial_use=engine.commercial_use,
        allowed=reason is None,
        reason=reason,
        parts=[PartResponse(**asdict(part)) for part in engine.terms[1:]],
        registry=_registered(engine),
    )


def _registered(engine: Engine) -> RegistrationResponse:
    told = engine.registration
    return RegistrationResponse(
        model=engine.model,
        version=told.version,
        path=told.path,
        inputs=list(told.inputs),
        resolutions_px=list(told.resolutions_px),
        memory_bytes=dict(told.memory_bytes),
    )
