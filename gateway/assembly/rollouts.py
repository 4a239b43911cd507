"""Puts the service of rollouts together; what it stands on is chosen in `resources`."""

import secrets
from collections.abc import Iterable
from functools import partial

from gateway.domain.options import Engine
from gateway.domain.versions import Limits
from gateway.metrics import Metrics
from gateway.ports.models import ModelStore
from gateway.services.rollout_course import Rules, Serving
from gateway.services.rollouts import RolloutService
from gateway.settings.tree import Settings


def rollout_service(
    settings: Settings,
    engines: Iterable[Engine],
    serving: Serving,
    store: ModelStore,
    metrics: Metrics,
) -> RolloutService:
    """What rolls a version of each engine out."""
    told, patience = settings.rollout, settings.torchserve.patience
    limits = Limits(told.requests, told.error_rise, told.refusal_rise, told.slowdown)
    rules = {
        engine.model: Rules(
            limits=limits,
            request_s=(engine.patience or patience).deadline_s,
            drain_s=told.drain_s,
            gateways=told.gateways,
            look_s=told.look_s,
        )
        for engine in engines
    }
    return RolloutService(store, serving, rules, metrics, partial(secrets.token_hex, 8))
