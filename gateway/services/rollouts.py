"""Versions of the deployed models, and the rollouts that change them: one per model at a time.

What is known of a rollout is kept in memory. The versions' truth is the model server's: after a
restart of the gateway its default version serves, and the same rollout asked for again goes on
from what is registered.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.domain.rollouts import Rollout, Wish
from gateway.domain.versions import Archive, Registered, Tally, VersionRefused
from gateway.errors.kinds import Conflict, ModelNotLoaded, NotFound
from gateway.metrics import Metrics
from gateway.ports.models import ModelStore
from gateway.services.rollout_course import Course, Rules, Serving

_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Version:
    """A version, which share of requests goes there, how many are there, what became of others."""

    registered: Registered
    share: float
    in_flight: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class _Running:
    course: Course
    task: asyncio.Task[None]


class RolloutService:
    """Starts rollouts, knows those of this process, and takes versions away.

    `rules` has those of every model that is configured.
    """

    def __init__(
        self,
        store: ModelStore,
        serving: Serving,
        rules: Mapping[str, Rules],
        metrics: Metrics,
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._serving = serving
        self._rules = rules
        self._metrics = metrics
        self._new_id = new_id
        self._rollouts: dict[str, Rollout] = {}
        self._running: dict[str, _Running] = {}

    async def archive(self, model: str, *, version: str | None, name: str | None) -> Archive:
        """The archive meant by a version or a file name; raises NotFound, InvalidInput."""
        self._check_known(model)
        if name is not None:
            return await self._store.by_name(model, name)
        return await self._store.by_version(model, version or "")

    async def start(self, wish: Wish) -> Rollout:
        """Begin a rollout; raises Conflict while there is one, or nothing to do."""
        archive = wish.archive
        there = await self._registered(archive.model)
        serving = [one.version for one in there if one.is_default]
        previous = serving if archive.version not in serving else _others(there, archive.version)
        if there and not previous:
            raise Conflict(f"{archive.version} serves already.")
        if running := self.running(archive.model):
            told = f"{archive.model} is being rolled out to {running.version}."
            details = {"rollout_id": running.rollout_id, "version": running.version}
            raise Conflict(told, details=details)
        rollout = Rollout(self._new_id(), wish, tuple(previous))
        course = Course(rollout, self._rules[archive.model], self._serving)
        task = asyncio.create_task(course.run())
        task.add_done_callback(lambda _: self._end(rollout))
        self._rollouts[rollout.rollout_id] = rollout
        self._running[rollout.rollout_id] = _Running(course, task)
        return rollout

    def get(self, model: str, rollout_id: str) -> Rollout:
        """One of the last hundred rollouts of this process; raises NotFound."""
        rollout = self._rollouts.get(rollout_id)
        if rollout is None or rollout.model != model:
            raise NotFound("There is no such rollout; the versions say what is served.")
        return rollout

    def running(self, model: str) -> Rollout | None:
        """The rollout of a model that has not ended."""
        return next(
            (self._rollouts[i] for i in self._running if self._rollouts[i].model == model), None
        )

    def back(self, model: str, rollout_id: str) -> Rollout:
        """Have a rollout go back; raises NotFound, Conflict for one that has ended."""
        rollout = self.get(model, rollout_id)
        if rollout_id not in self._running:
            raise Conflict(
                f"The rollout has ended: {rollout.state}. Roll out the version you want."
            )
        self._running[rollout_id].course.asks_back.set()
        return rollout

    async def versions(self, model: str) -> list[Version]:
        """Every version of a model, the default one first; raises NotFound, ModelNotLoaded."""
        self._check_known(model)
        there = await self._registered(model)
        split = self._serving.traffic.split(model)
        shares = {} if split is None else {split.canary: split.share}
        left = 1 - sum(shares.values())
        return [
            self._counted(model, one, left if one.is_default else shares.get(one.version, 0.0))
            for one in there
        ]

    async def retire(self, model: str, version: str) -> None:
        """Unregister a version that nobody is on; raises NotFound, Conflict, ModelNotLoaded."""
        found = next(
            (v for v in await self.versions(model) if v.registered.version == version), None
        )
        if found is None:
            raise NotFound("There is no such version.")
        if self.running(model) is not None:
            raise Conflict("A rollout of this model is under way: it needs its versions.")
        if found.registered.is_default:
            raise Conflict("This version serves: roll out another one first.")
        if found.in_flight or found.registered.waiting:
            raise Conflict("Requests are on this version: try again when they are answered.")
        try:
            await self._serving.control.unregister(model, version)
        except VersionRefused as refused:
            raise Conflict(str(refused)) from refused

    async def close(self) -> None:
        """Leave every rollout where it is; the model server goes on serving its default version."""
        tasks = [one.task for one in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _registered(self, model: str) -> tuple[Registered, ...]:
        try:
            return await self._serving.control.versions(model)
        except VersionRefused as refused:
            raise ModelNotLoaded(str(refused)) from refused

    def _counted(self, model: str, one: Registered, share: float) -> Version:
        traffic = self._serving.traffic
        return Version(
            registered=one,
            share=share,
            in_flight=traffic.in_flight(model, one.version),
            tally=traffic.tally(model, one.version),
        )

    def _end(self, rollout: Rollout) -> None:
        del self._running[rollout.rollout_id]
        self._metrics.rollouts.labels(rollout.model, rollout.state).inc()
        for old in list(self._rollouts)[:-_KEPT]:
            if old not in self._running:
                del self._rollouts[old]

    def _check_known(self, model: str) -> None:
        if model not in self._rules:
            raise NotFound("There is no such model.")


def _others(there: tuple[Registered, ...], version: str) -> list[str]:
    return [one.version for one in there if one.version != version]
