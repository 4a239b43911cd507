"""Several TorchServe hosts behind the Models port: who is asked, and whom to ask next.

A request goes to the host with the fewest under way among those whose model is ready and whose
circuit lets it through. A try-on changes nothing, so it may be asked again whenever no answer came:
the worker died or was replaced, the stream was cut or never began, the queue was full; another host
is asked at once, the same one when it is ready again. Whom a new version fails while only a share
of the requests tries it, is served by the default one.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.adapters.breaker import Breaker
from gateway.adapters.torchserve import TorchServe
from gateway.adapters.torchserve_answers import RetryError
from gateway.adapters.torchserve_traffic import VersionTraffic
from gateway.domain.jobs import UNKNOWN, Job, ModelState, Prediction, Readiness
from gateway.domain.options import Patience
from gateway.errors.kinds import (
    Busy,
    GatewayError,
    InferenceFailed,
    ModelNotLoaded,
    NotDeployed,
    OutOfMemory,
    TimedOut,
)
from gateway.ports.models import OnProgress

_READY_POLL_S: Final = 0.2
_LOOK_S: Final = 1.0  # well within the time of a health check, where other hosts may do the work
_NOT_THE_CALLERS: Final = (InferenceFailed, ModelNotLoaded, OutOfMemory)
_SILENCE: Final = frozenset({"unreachable", "no_frame"})


@dataclass(frozen=True, slots=True)
class Retries:
    """When to ask again, in seconds, and how many workers one request may cost.

    `recovery_s` is the longest wait for a worker to come back, unless its model says another;
    pauses double from the first to the longest.
    """

    recovery_s: float
    first_s: float
    longest_s: float
    max_crashes: int


def is_silence(error: Exception) -> bool:
    """Whether an attempt failed because a host does not answer: what opens its circuit."""
    return isinstance(error, RetryError) and error.reason in _SILENCE


@dataclass(eq=False)
class Host:
    """One TorchServe, the breaker around it, and how many requests it is at work on."""

    server: TorchServe
    breaker: Breaker
    outstanding: int = 0

    def takes(self, model: str) -> bool:
        """Whether it is worth asking: its model was ready when last seen, its circuit closed."""
        return self.server.state(model).readiness is Readiness.READY and self.breaker.admits

    async def ask(self, job: Job, on_progress: OnProgress | None) -> Prediction:
        """Ask once; raises RetryError for what may be asked again, else the final error."""
        self.outstanding += 1
        try:
            async with self.breaker.calling():
                return await self.server.attempt(job, on_progress)
        finally:
            self.outstanding -= 1


class TorchServeHosts:
    """Implements the Models port over one host or several, which serve the same models.

    `models` says with which patience each model is asked, `traffic` counts the requests of all
    hosts by version; `on_retry` hears the reason of every retry.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        models: Mapping[str, Patience],
        retries: Retries,
        traffic: VersionTraffic,
        on_retry: Callable[[str], None],
    ) -> None:
        self._hosts = tuple(hosts)
        self._models = models
        self._retries = retries
        self._on_retry = on_retry
        self.traffic = traffic

    def state(self, model: str) -> ModelState:
        """The model's state as last seen: the best of all hosts, with the workers of all."""
        return merged([host.server.state(model) for host in self._hosts])

    def version_for(self, model: str, request_id: str) -> str | None:
        """The version that a request goes to; None while none is known."""
        return self.traffic.version_for(model, self.state(model).version, request_id)

    async def refresh(self) -> None:
        """Look at every model's state on every host anew."""
        await asyncio.gather(*(self._look(model) for model in self._models))

    def reachable(self) -> Mapping[str, bool]:
        """Whether each host answered when it was last looked at, by the name of its circuit."""
        return {host.breaker.name: host.server.is_reachable for host in self._hosts}

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        """Run one inference, asking again as long as that is safe and the deadline allows."""
        last: GatewayError | None = None
        crashes, pause_s = 0, self._retries.first_s
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        self._refuse_what_nobody_takes()
        try:
            async with asyncio.timeout(self._models[job.model].deadline_s):
                host = await self._host(job.model)
                tried = self._placed(job)
                while True:
                    try:
                        return await host.ask(tried.after(now_s() - began_s), on_progress)
                    except RetryError as retry:
                        last, crashes = retry.error, crashes + retry.crashed
                        if crashes >= self._retries.max_crashes:
                            raise retry.error from retry
                        self._on_retry(retry.reason)
                    except _NOT_THE_CALLERS:
                        if tried is job:
                            raise
                        self._on_retry("canary_failed")
                    tried = job
                    if not self._takers(job.model, but=host):
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, self._retries.longest_s)
                    host = await self._host(job.model, but=host)
        except TimeoutError:
            raise (last if isinstance(last, Busy | ModelNotLoaded) else TimedOut()) from last

    async def tell(self, job: Job) -> int | None:
        """Ask every host once, without a retry; None where one did not answer well."""
        told = await asyncio.gather(*(host.server.tell(job) for host in self._hosts))
        return None if None in told else sum(number or 0 for number in told)

    async def idle(self) -> None:
        """Wait until every answered stream has ended or was let go."""
        await asyncio.gather(*(host.server.idle() for host in self._hosts))

    def _refuse_what_nobody_takes(self) -> None:
        """Fail at once while every circuit is open: waiting would only pile requests up."""
        if not any(host.breaker.admits for host in self._hosts):
            raise self._hosts[0].breaker.refusal()

    def _placed(self, job: Job) -> Job:
        """The job, for the version whose turn it is; the default one is asked for by no name."""
        version = self.version_for(job.model, job.request_id)
        is_default = version == self.state(job.model).version
        return job if job.version or is_default else replace(job, version=version)

    def _takers(self, model: str, but: Host | None = None) -> Sequence[Host]:
        """Who is worth asking now, the least busy first."""
        takers = [host for host in self._hosts if host is not but and host.takes(model)]
        return sorted(takers, key=lambda host: host.outstanding)

    async def _host(self, model: str, but: Host | None = None) -> Host:
        """Who is asked next: another one than has just failed, or that one when it is ready."""
        if takers := self._takers(model, but):
            return takers[0]
        try:
            async with asyncio.timeout(self._recovery_s(model)):
                while True:
                    await self._look(model)
                    if takers := self._takers(model, but) or self._takers(model):
                        return takers[0]
                    if self.state(model).readiness is Readiness.MISSING:
                        raise NotDeployed
                    await asyncio.sleep(_READY_POLL_S)
        except TimeoutError as error:
            raise ModelNotLoaded from error

    def _recovery_s(self, model: str) -> float:
        return self._models[model].recovery_s or self._retries.recovery_s

    async def _look(self, model: str) -> None:
        """Look at the model on every host; where there are several, none may hold the others up."""
        limit_s = _LOOK_S if len(self._hosts) > 1 else None
        await asyncio.gather(*(host.server.look(model, limit_s) for host in self._hosts))


def merged(states: Collection[ModelState]) -> ModelState:
    """One model on several hosts, as one: ready where one is, missing where it is nowhere."""
    by_readiness = {state.readiness: state for state in reversed(tuple(states))}
    for readiness in (Readiness.READY, Readiness.LOADING, Readiness.UNREACHABLE, Readiness.MISSING):
        if readiness in by_readiness:
            return replace(
                by_readiness[readiness],
                ready_workers=sum(state.ready_workers for state in states),
                workers=sum(state.workers for state in states),
                memory_bytes=sum(state.memory_bytes for state in states),
                gpu=any(state.gpu for state in states),
            )
    return UNKNOWN
