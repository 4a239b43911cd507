"""Who serves a request instead of the engine that was asked, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.domain.options import Engine, Given, Plan, plan
from gateway.errors.engines import RemoteEngineFailed
from gateway.errors.kinds import (
    GatewayError,
    InvalidInput,
    Misconfigured,
    ModelNotLoaded,
    NotDeployed,
    TimedOut,
)

_REASONS: Final[Mapping[type[GatewayError], str]] = MappingProxyType(
    {
        NotDeployed: "not_deployed",
        ModelNotLoaded: "not_ready",
        TimedOut: "timed_out",
        RemoteEngineFailed: "failed",
    }
)
"""What lets another engine step in; nothing that another picture would have changed."""


@dataclass(frozen=True, slots=True)
class EngineOrder:
    """The engine of whoever names none, and those that may serve where the asked one does not."""

    default: str
    fallback: tuple[str, ...] = ()

    def known(self, engines: Collection[str]) -> tuple[str, ...]:
        """Those that may serve; raises Misconfigured where one of them does not exist."""
        if unknown := sorted({*self.fallback} - {*engines}):
            setting = "setting VTON_TRYON__FALLBACK"
            raise Misconfigured(f"{setting}: no such engine: {', '.join(unknown)}")
        return self.fallback


@dataclass(frozen=True, slots=True)
class Fallback:
    """Which engine was asked, and why it did not serve."""

    engine: str
    reason: str

    def told(self) -> dict[str, str]:
        """As the answer says it."""
        return {"engine": self.engine, "reason": self.reason}


def behind(order: Sequence[str], asked: str) -> Sequence[str]:
    """Who may take an engine's place: who is behind it in the order, or all of it without it."""
    return order[order.index(asked) + 1 :] if asked in order else order


def alternatives(
    engines: Mapping[str, Engine],
    order: Sequence[str],
    asked: Engine,
    given: Given,
    pictures: Collection[str],
) -> tuple[Plan, ...]:
    """What else could serve the request, best first: engines that honour all that was given."""
    found = []
    for name in behind(order, asked.name):
        try:
            found.append(plan(engines[name], given, pictures))
        except InvalidInput:
            continue
    return tuple(found)


def fallback(asked: Engine, error: GatewayError) -> Fallback | None:
    """What the answer of another engine says, or None where none may step in."""
    kinds = [kind for kind in _REASONS if isinstance(error, kind)]
    if not kinds:
        return None
    reason = error.details.get("reason")
    return Fallback(asked.name, reason if isinstance(reason, str) else _REASONS[kinds[0]])
