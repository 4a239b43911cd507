"""Puts together what health is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.domain.licensing import Licensing
from gateway.domain.options import Registry
from gateway.metrics import Metrics
from gateway.ports.models import Models
from gateway.ports.sessions import SessionBook
from gateway.ports.storage import ObjectStore
from gateway.services.health import (
    Check,
    circuits_check,
    database_check,
    engines_check,
    storage_check,
)
from gateway.settings.tree import Settings


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose health is looked at; `circuits` tells the state of each by its service's name."""

    models: Models
    registry: Registry
    store: ObjectStore
    book: SessionBook
    circuits: Callable[[], Mapping[str, str]]


def health_checks(
    settings: Settings,
    on: Watched,
    licensing: Licensing,
    metrics: Metrics,
) -> dict[str, Check]:
    """One check for each component."""
    default = settings.tryon.default_engine
    return {
        "engines": engines_check(on.models, on.registry.every, default, licensing, metrics),
        "storage": storage_check(on.store),
        "database": database_check(on.book, metrics),
        "circuits": circuits_check(on.circuits),
    }
