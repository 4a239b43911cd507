"""Health, found out beside the requests: /health only reads what the last round found."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import structlog
from pydantic import JsonValue

from gateway.domain.jobs import ModelState, Readiness
from gateway.domain.licensing import Licensing
from gateway.domain.options import Engine
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.models import Models
from gateway.ports.sessions import SessionBook
from gateway.ports.storage import ObjectStore

_PROBE = "probe"
_CLOSED = "closed"


class Health(IntEnum):
    """How well a part is; the greatest of all parts is the health of the whole."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2


@dataclass(frozen=True, slots=True)
class Component:
    """One part's health, and what is known about it."""

    health: Health
    details: Mapping[str, JsonValue] = field(default_factory=dict)


Check = Callable[[], Awaitable[Component]]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole; `checked_s_ago` is None before the first round."""

    health: Health
    components: Mapping[str, Component]
    checked_s_ago: float | None
    uptime_s: float


class HealthService:
    """Runs every check in rounds, and keeps the last round's findings."""

    def __init__(self, checks: Mapping[str, Check], clock: Clock, timeout_s: float) -> None:
        self._checks = checks
        self._clock = clock
        self._timeout_s = timeout_s
        self._started = clock.monotonic()
        self._checked: float | None = None
        self._components: Mapping[str, Component] = {
            name: Component(Health.UNHEALTHY, {"reason": "not_checked_yet"}) for name in checks
        }

    async def check(self) -> None:
        """Run one round; a check that fails or hangs makes its part unhealthy."""
        found = await asyncio.gather(*(self._run(name, c) for name, c in self._checks.items()))
        self._components = dict(zip(self._checks, found, strict=True))
        self._checked = self._clock.monotonic()

    def report(self) -> Report:
        """What the last round found; never waits."""
        now = self._clock.monotonic()
        return Report(
            health=max((c.health for c in self._components.values()), default=Health.HEALTHY),
            components=self._components,
            checked_s_ago=None if self._checked is None else now - self._checked,
            uptime_s=now - self._started,
        )

    async def _run(self, name: str, check: Check) -> Component:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await check()
        except TimeoutError:
            return Component(Health.UNHEALTHY, {"reason": "timed_out"})
        except Exception:
            log = structlog.get_logger(__name__)
            log.warning("health check failed", component=name, exc_info=True)
            return Component(Health.UNHEALTHY, {"reason": "failed"})


def engines_check(
    models: Models,
    engines: Iterable[Engine],
    default: str,
    licensing: Licensing,
    metrics: Metrics,
) -> Check:
    """Every deployed engine has a READY worker: degraded without, unhealthy for the default.

    An engine that the model server does not know is not deployed, and nobody's illness; nor is one
    that may not be used here. The default one must be there.
    """

    async def check() -> Component:
        await models.refresh()
        health, details = Health.HEALTHY, dict[str, JsonValue]()
        for engine in engines:
            state = models.state(engine.model)
            metrics.ready.labels(engine.name).set(state.readiness is Readiness.READY)
            reason = licensing.reason(engine)
            if reason is None:
                health = max(health, _health_of(state, is_default=engine.name == default))
            details[engine.name] = {
                "state": state.readiness,
                "version": state.version,
                "ready_workers": state.ready_workers,
                "workers": state.workers,
                "memory_bytes": state.memory_bytes,
                "gpu": state.gpu,
                "licence": engine.licence,
                "allowed": reason is None,
                "reason": reason,
            }
        return Component(health, details)

    return check


def _health_of(state: ModelState, *, is_default: bool) -> Health:
    if state.readiness is Readiness.READY:
        return Health.HEALTHY
    if is_default:
        return Health.UNHEALTHY
    return Health.HEALTHY if state.readiness is Readiness.MISSING else Health.DEGRADED


def circuits_check(states: Callable[[], Mapping[str, str]]) -> Check:
    """No circuit to an outside service is open: degraded otherwise, each with its state."""

    async def check() -> Component:
        found = states()
        is_well = set(found.values()) <= {_CLOSED}
        return Component(Health.HEALTHY if is_well else Health.DEGRADED, dict(found))

    return check


def hosts_check(models: Models, reachable: Callable[[], Mapping[str, bool]]) -> Check:
    """Every one of several model servers answers: degraded otherwise, each by name."""

    async def check() -> Component:
        await models.refresh()
        found = reachable()
        health = Health.HEALTHY if all(found.values()) else Health.DEGRADED
        return Component(health, dict(found))

    return check


def storage_check(store: ObjectStore) -> Check:
    """The object store answers."""

    async def check() -> Component:
        await store.exists(_PROBE)
        return Component(Health.HEALTHY)

    return check


def database_check(book: SessionBook, metrics: Metrics) -> Check:
    """The database answers: how many items of sessions wait, and how many are being made."""

    async def check() -> Component:
        found = await book.open_items()
        for state, items in found.items():
            metrics.session_queue.labels(state).set(items)
        return Component(
            Health.HEALTHY, {f"items_{state}": items for state, items in found.items()}
        )

    return check
