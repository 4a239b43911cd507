"""One TorchServe host: it is asked once, over HTTP, and answers with a stream of frames.

`torchserve_hosts` says which host is asked, and when one is asked again.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import httpx

from gateway.adapters.torchserve_answers import RetryError, error_of_status, model_state
from gateway.adapters.torchserve_stream import Endings, answer_of, prediction_of
from gateway.adapters.torchserve_traffic import VersionTraffic
from gateway.adapters.torchserve_waiting import WaitingLine
from gateway.domain.frames import BrokenStream, Frame, FrameReader
from gateway.domain.jobs import UNKNOWN, Job, ModelState, Prediction, Readiness
from gateway.domain.options import Patience
from gateway.errors.kinds import GatewayError, InferenceFailed, ModelNotLoaded
from gateway.ports.models import OnProgress

_OK: Final = 200
_TELL_S: Final = 10.0


class TorchServe:
    """Asks one host for predictions, and how its models are.

    The two clients carry base URLs, tokens and connection pools; whoever made them closes them.
    `models` says with which patience each model is asked; `traffic` counts what becomes of it.
    """

    def __init__(
        self,
        inference: httpx.AsyncClient,
        management: httpx.AsyncClient,
        models: Mapping[str, Patience],
        traffic: VersionTraffic,
        max_frame_bytes: int,
    ) -> None:
        self._inference = inference
        self._management = management
        self._models = models
        self._traffic = traffic
        self._max_frame_bytes = max_frame_bytes
        self._endings = Endings()
        self._lines: dict[tuple[str, str], WaitingLine] = {}
        self._states = dict.fromkeys(models, UNKNOWN)
        self._versions: dict[tuple[str, str], ModelState] = {}

    def state(self, model: str) -> ModelState:
        """The model's state as last seen: that of its default version."""
        return self._states.get(model, UNKNOWN)

    @property
    def is_reachable(self) -> bool:
        """Whether its management API answered when it was last looked at."""
        return any(one.readiness is not Readiness.UNREACHABLE for one in self._states.values())

    async def look(self, model: str, limit_s: float | None = None) -> ModelState:
        """Ask the management API for a model anew, in `limit_s` seconds or not at all."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._look(model)
        except TimeoutError:
            self._states[model] = UNKNOWN
            return UNKNOWN

    async def tell(self, job: Job) -> int | None:
        """Ask every version that is at work once, without a retry; how many entries it dropped.

        0 where nobody is there to be asked, None where one that is there did not answer well.
        """
        state = self.state(job.model)
        if state.readiness is not Readiness.READY:
            return None if state.readiness is Readiness.UNREACHABLE else 0
        versions = {None, *self._traffic.in_use(job.model)} - {state.version, ""}
        try:
            async with asyncio.timeout(_TELL_S):
                asked = [self.attempt(replace(job, version=one), None) for one in versions]
                told = await asyncio.gather(*asked)
        except (RetryError, GatewayError, TimeoutError):
            return None
        return sum(int(str(one.metadata.get("forgotten", 0))) for one in told)

    async def idle(self) -> None:
        """Wait until every answered stream has ended or was let go."""
        await self._endings.all()

    async def attempt(self, job: Job, on_progress: OnProgress | None) -> Prediction:
        """Ask once; raises RetryError for what may be asked again, else the final error."""
        version = job.version or self.state(job.model).version or ""
        with self._traffic.attempt(job.model, version):
            try:
                answer = await self._answer(job, version, on_progress)
                return prediction_of(answer, is_shown=job.is_shown)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise RetryError("unreachable", ModelNotLoaded()) from error
            except (httpx.TransportError, BrokenStream) as error:
                raise RetryError("cut_stream", InferenceFailed(), crashed=True) from error

    async def _answer(self, job: Job, version: str, on_progress: OnProgress | None) -> list[Frame]:
        """Everything a worker says; a stream that is not read up to its last frame is closed."""
        line = self._line(job.model, version)
        async with line.join() as wait:
            response = await self._inference.send(self._request(job), stream=True)
            chunks = response.aiter_bytes()
            try:
                _check(response, self._versions.get((job.model, version), self.state(job.model)))
                reader = FrameReader(self._max_frame_bytes)
                answer = await answer_of(line.served(wait, chunks), reader, on_progress)
            except BaseException:
                await response.aclose()
                raise
        self._endings.add(response, chunks, self._models[job.model].stall_s)
        return answer

    def _request(self, job: Job) -> httpx.Request:
        path = "/predictions/" + "/".join(part for part in (job.model, job.version) if part)
        headers = {"X-Request-Id": job.request_id}
        return self._inference.build_request("POST", path, files=_parts(job), headers=headers)

    async def _look(self, model: str) -> ModelState:
        """Look at the default version, and at those that requests are on beside it."""
        state = self._states[model] = await self._described(f"/models/{model}")
        seen = {state.version: state} if state.version else {}
        for version in self._traffic.in_use(model) - {"", *seen}:
            seen[version] = await self._described(f"/models/{model}/{version}")
        for version, its_state in seen.items():
            self._line(model, version).look(its_state)
        self._versions = {
            **{key: other for key, other in self._versions.items() if key[0] != model},
            **{(model, version): other for version, other in seen.items()},
        }
        return state

    async def _described(self, path: str) -> ModelState:
        try:
            response = await self._management.get(path)
            return model_state(response.status_code, response.content)
        except httpx.HTTPError:
            return UNKNOWN

    def _line(self, model: str, version: str) -> WaitingLine:
        """Who waits for this version; each has workers and a queue of its own."""
        patience = self._models[model]
        line = WaitingLine(patience.first_frame_s, patience.stall_s)
        return self._lines.setdefault((model, version), line)


def _check(response: httpx.Response, state: ModelState) -> None:
    if response.status_code != _OK:
        raise error_of_status(response.status_code, state)


def _parts(job: Job) -> dict[str, Any]:
    told = {"params": dict(job.params)}
    if job.schedule is not None:
        told["schedule"] = job.schedule.wire()
    fields = {
        name: (None, json.dumps(value).encode(), "application/json") for name, value in told.items()
    }
    images = {name: (f"{name}.png", content, "image/png") for name, content in job.images.items()}
    return {**fields, **images}
