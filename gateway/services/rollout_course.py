"""The course of one rollout, step by step; whatever goes wrong, the version before goes on serving.

Traffic moves by the model server's default version: requests name no version, so one command
moves those of every gateway. Only the share that tries a version is sent there by name.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.domain.rollouts import Rollout, RolloutState
from gateway.domain.versions import (
    Limits,
    Reason,
    Registered,
    Split,
    Tally,
    VersionRefused,
    worse,
)
from gateway.errors.kinds import ModelNotLoaded
from gateway.ports.clock import Clock
from gateway.ports.models import Models, Traffic, VersionControl

_MAX_STARTS: Final = 3
_ASKED: Final = Reason("asked", "It was asked to go back.")


@dataclass(frozen=True, slots=True)
class Rules:
    """How a rollout goes: when a version is worse, how long to wait for what, in seconds.

    An engine's request takes `request_s` at most. With several `gateways` a version is left alone
    that long after the switch, as the others' requests on it cannot be counted here.
    """

    limits: Limits
    request_s: float
    drain_s: float
    gateways: int
    look_s: float


class _Undone(Exception):
    """The rollout must not go on."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Serving:
    """The model server from its two sides, the traffic to it, and the time."""

    control: VersionControl
    models: Models
    traffic: Traffic
    clock: Clock


class Course:
    """Takes one rollout to its end; `asks_back` set, it goes back at its next look."""

    def __init__(self, rollout: Rollout, rules: Rules, serving: Serving) -> None:
        self._rollout = rollout
        self._rules = rules
        self._control = serving.control
        self._traffic = serving.traffic
        self._models = serving.models
        self._clock = serving.clock
        self._is_registered = False
        self._has_served = False
        self._has_shifted = False
        self.asks_back = asyncio.Event()

    async def run(self) -> None:
        """Go all the way, or back; never raises but when cancelled."""
        try:
            await self._register()
            await self._warm()
            if self._rollout.wish.share > 0:
                await self._try()
            await self._shift()
            await self._drain()
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody must serve
            await self._back(_reason(error))
        finally:
            self._traffic.share_out(self._rollout.model, None)

    async def _register(self) -> None:
        archive = self._rollout.wish.archive
        self._traffic.clear(archive.model)
        self._tell(f"Registering {archive.file}.", RolloutState.REGISTERING)
        there = await self._control.versions(archive.model)
        if any(one.is_default and one.version == archive.version for one in there):
            self._has_served = self._has_shifted = True
        await self._control.register(archive)
        self._is_registered = True

    async def _warm(self) -> None:
        """Wait until its workers are ready; they warm up before they say so."""
        archive, started = self._rollout.wish.archive, self._clock.monotonic()
        self._tell(f"Loading and warming up {archive.version}.", RolloutState.WARMING)
        await self._control.scale(archive.model, archive.version, archive.workers)
        tried: set[int] = set()
        while (seen := await self._seen()) is None or seen.state.ready_workers < archive.workers:
            tried |= set() if seen is None else seen.state.pids
            waited_s = self._clock.monotonic() - started
            if len(tried) >= _MAX_STARTS * archive.workers or waited_s > archive.startup_s:
                what = f"A worker of {archive.version} does not get ready"
                how = f"{len(tried)} starts in {waited_s:.0f} s; the model server's log says why"
                raise _Undone(Reason("worker_not_ready", f"{what}: {how}."))
            await self._look()
        self._tell(f"{archive.version} is warm after {self._clock.monotonic() - started:.1f} s.")

    async def _try(self) -> None:
        """Send it its share for a while, and compare."""
        wish, model = self._rollout.wish, self._rollout.model
        told = (
            f"{wish.share:.0%} of the requests try {self._rollout.version} for {wish.canary_s:g} s."
        )
        self._tell(told, RolloutState.CANARY)
        self._traffic.clear(model)
        self._traffic.share_out(model, Split(self._rollout.version, wish.share))
        self._has_served = True
        until = self._clock.monotonic() + wish.canary_s
        while self._clock.monotonic() < until:
            await self._look()
            self._compare()
        self._tell(self._compared())

    async def _shift(self) -> None:
        model, version = self._rollout.model, self._rollout.version
        self._tell(f"All requests go to {version} now.", RolloutState.SHIFTING)
        self._has_served = self._has_shifted = True
        await self._control.make_default(model, version)
        self._traffic.share_out(model, None)
        await self._models.refresh()

    async def _drain(self) -> None:
        previous, shifted = self._rollout.previous, self._clock.monotonic()
        what = f"Waiting for the requests on {', '.join(previous)}." if previous else "None before."
        self._tell(what, RolloutState.DRAINING)
        while not await self._are_idle(previous, shifted):
            if self._clock.monotonic() - shifted > self._drain_s:
                left = f"{', '.join(previous)} stays registered: still in use after"
                self._rollout.reason = Reason("not_drained", f"{left} {self._drain_s:.0f} s.")
                self._tell(self._rollout.reason.message, RolloutState.DONE)
                return
            await self._look()
            self._compare()
        for version in previous:
            await self._control.unregister(self._rollout.model, version)
            self._tell(f"{version} is unregistered.")
        self._tell(f"{self._rollout.version} serves.", RolloutState.DONE)

    async def _back(self, reason: Reason) -> None:
        """Leave the version before as the one that serves, and take the new one away."""
        self._rollout.reason = reason
        self._tell(reason.message)
        is_back = self._has_served or reason is _ASKED
        end = RolloutState.ROLLED_BACK if is_back else RolloutState.FAILED
        try:
            left = await self._take_away()
        except (VersionRefused, ModelNotLoaded) as error:
            left = f"{self._rollout.version} may be registered still: {error}"
        self._tell(left, end)

    async def _take_away(self) -> str:
        model, version = self._rollout.model, self._rollout.version
        before = next(iter(self._rollout.previous), None)
        self._traffic.share_out(model, None)
        if self._has_shifted and before is not None:
            await self._control.make_default(model, before)
            await self._models.refresh()
        if not self._is_registered:
            return "Nothing was changed."
        since = self._clock.monotonic()
        while self._has_served and not await self._are_idle((version,), since):
            if self._clock.monotonic() - since > self._drain_s:
                return f"{version} stays registered: still in use after {self._drain_s:.0f} s."
            await asyncio.sleep(self._rules.look_s)
        await self._control.unregister(model, version)
        return f"{before or 'No version'} serves; {version} is unregistered."

    @property
    def _drain_s(self) -> float:
        """Longer than any request may take, unless told otherwise."""
        return self._rules.drain_s or self._rules.request_s + 2 * self._rules.look_s

    async def _are_idle(self, versions: tuple[str, ...], since: float) -> bool:
        """Whether nobody is on these versions, as far as can be known."""
        if self._rules.gateways > 1 and self._clock.monotonic() - since < self._rules.request_s:
            return False
        model = self._rollout.model
        if any(self._traffic.in_flight(model, version) for version in versions):
            return False
        there = await self._control.versions(model)
        return not any(one.waiting for one in there if one.version in versions)

    async def _seen(self) -> Registered | None:
        """The new version as the model server describes it; None while that does not answer."""
        try:
            there = await self._control.versions(self._rollout.model)
        except ModelNotLoaded:
            return None
        return next((one for one in there if one.version == self._rollout.version), None)

    async def _look(self) -> None:
        """Let some time go by; raises _Undone as soon as somebody asks to go back."""
        try:
            await asyncio.wait_for(self.asks_back.wait(), self._rules.look_s)
        except TimeoutError:
            return
        raise _Undone(_ASKED)

    def _compare(self) -> None:
        old, new = self._tallies()
        if reason := worse(old, new, self._rules.limits):
            raise _Undone(reason)

    def _compared(self) -> str:
        old, new = self._tallies()
        told = f"{new.total} requests tried it, {new.failed} failed, {new.refused} were declined"
        if new.total < self._rules.limits.requests:
            return f"{told}: too few to compare."
        return f"{told}; of {old.total} before {old.failed} failed, {old.refused} were declined."

    def _tallies(self) -> tuple[Tally, Tally]:
        before = next(iter(self._rollout.previous), "")
        old, new = (
            self._traffic.tally(self._rollout.model, v) for v in (before, self._rollout.version)
        )
        return old, new

    def _tell(self, message: str, state: RolloutState | None = None) -> None:
        rollout = self._rollout
        rollout.tell(self._clock.now(), message, state)
        log = structlog.get_logger(__name__)
        log.info(
            "rollout",
            rollout_id=rollout.rollout_id,
            model=rollout.model,
            version=rollout.version,
            state=rollout.state,
            told=message,
        )


def _reason(error: Exception) -> Reason:
    """What went wrong, for whoever asked for the rollout."""
    if isinstance(error, _Undone):
        return error.reason
    if isinstance(error, VersionRefused):
        return Reason("refused", str(error))
    if isinstance(error, ModelNotLoaded):
        return Reason("model_server_away", error.message)
    structlog.get_logger(__name__).error("rollout failed", exc_info=error)
    return Reason("internal", "It failed on our side: the log says more.")
