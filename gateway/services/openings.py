"""Where there is room for what is queued: at its engine, or at one that may take its place.

Who restarts is waited for: another engine serves only when the asked one has been away for a while.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.jobs import Readiness
from gateway.domain.options import Engine
from gateway.domain.sessions import Claim
from gateway.ports.clock import Clock
from gateway.ports.models import Models


@dataclass(frozen=True, slots=True)
class OpeningRules:
    """How many items of an engine run here (0: as many as it takes), and how long one is awaited.

    An engine that was away for `patience_s` seconds is no longer waited for.
    """

    per_engine: int
    patience_s: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may be claimed now: items of these `engines`, and of others for those in their place."""

    engines: Sequence[str]
    instead: Mapping[str, Sequence[str]]

    def __bool__(self) -> bool:
        return bool(self.engines or self.instead)

    def server_of(self, claim: Claim) -> str:
        """Who is to serve an item that was claimed so."""
        others = self.instead.get(claim.engine, ())
        able = [name for name in claim.ask.alternatives if name in others]
        return able[0] if able else claim.engine


class Openings:
    """Knows which engines have room, and since when each has been away.

    `instead_of` gives the engines that may take one's place, best first.
    """

    def __init__(
        self,
        models: Models,
        engines: Mapping[str, Engine],
        instead_of: Callable[[str], Sequence[str]],
        clock: Clock,
        rules: OpeningRules,
    ) -> None:
        self._models = models
        self._engines = engines
        self._instead_of = instead_of
        self._clock = clock
        self._rules = rules
        self._away_since: dict[str, float] = {}

    def look(self, running: Mapping[str, int]) -> Wanted:
        """What may be claimed, while each engine has so many running here."""
        now = self._clock.monotonic()
        for name in self._engines:
            if self._is_ready(name):
                self._away_since.pop(name, None)
            else:
                self._away_since.setdefault(name, now)
        free = [name for name in self._engines if self._has_room(name, running.get(name, 0))]
        given_up = [
            name
            for name, since in self._away_since.items()
            if now - since >= self._rules.patience_s
        ]
        chosen = {
            name: [other for other in self._instead_of(name) if other in free] for name in given_up
        }
        return Wanted(free, {name: others for name, others in chosen.items() if others})

    def _is_ready(self, name: str) -> bool:
        return self._models.state(self._engines[name].model).readiness is Readiness.READY

    def _has_room(self, name: str, running: int) -> bool:
        if not self._is_ready(name):
            return False
        state = self._models.state(self._engines[name].model)
        return running < (self._rules.per_engine or max(1, state.ready_workers * state.batch_size))
