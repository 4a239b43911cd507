"""TorchServe behind the Models port: streamed frames, one deadline, retries of what is safe.

A try-on changes nothing, so it may be asked again whenever no answer came: the worker died or was
replaced, the stream was cut or never began, the queue was full. Between two tries the adapter
waits for a READY worker. Whom a new version fails while only a share of the requests tries it, is
served by the default one.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from gateway.adapters.torchserve_answers import (
    RetryError,
    error_of_status,
    model_state,
)
from gateway.adapters.torchserve_stream import Endings, answer_of, prediction_of
from gateway.adapters.torchserve_traffic import VersionTraffic
from gateway.adapters.torchserve_waiting import WaitingLine
from gateway.domain.frames import BrokenStream, Frame, FrameReader
from gateway.domain.jobs import UNKNOWN, Job, ModelState, Prediction, Readiness
from gateway.domain.options import Patience
from gateway.errors import (
    Busy,
    GatewayError,
    InferenceFailed,
    ModelNotLoaded,
    NotDeployed,
    OutOfMemory,
    TimedOut,
)
from gateway.ports import OnProgress

_READY_POLL_S: Final = 0.2
_OK: Final = 200
_NOT_THE_CALLERS: Final = (InferenceFailed, ModelNotLoaded, OutOfMemory)


@dataclass(frozen=True, slots=True)
class Retries:
    """When to ask again, in seconds, and how many workers one request may cost.

    `recovery_s` is the longest wait for a worker to come back; pauses double from the first to the
    longest.
    """

    recovery_s: float
    first_s: float
    longest_s: float
    max_crashes: int


class TorchServe:
    """Implements the Models port over HTTP.

    The two clients carry base URLs, tokens and connection pools; whoever made them closes them.
    `models` says with which patience each model is asked, `traffic` which version a request goes
    to; `on_retry` hears the reason of every retry.
    """

    def __init__(
        self,
        inference: httpx.AsyncClient,
        management: httpx.AsyncClient,
        models: Mapping[str, Patience],
        retries: Retries,
        max_frame_bytes: int,
        on_retry: Callable[[str], None],
    ) -> None:
        self._inference = inference
        self._management = management
        self._models = models
        self._retries = retries
        self._max_frame_bytes = max_frame_bytes
        self._on_retry = on_retry
        self.traffic = VersionTraffic(time.monotonic)
        self._endings = Endings()
        self._lines: dict[tuple[str, str], WaitingLine] = {}
        self._states = dict.fromkeys(models, UNKNOWN)
        self._versions: dict[tuple[str, str], ModelState] = {}

    def state(self, model: str) -> ModelState:
        """The model's state as last seen: that of its default version."""
        return self._states.get(model, UNKNOWN)

    def version_for(self, model: str, request_id: str) -> str | None:
        """The version that a request goes to; None while none is known."""
        return self.traffic.version_for(model, self.state(model).version, request_id)

    async def refresh(self) -> None:
        """Ask the management API for every model."""
        await asyncio.gather(*(self._look(model) for model in list(self._states)))

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        """Run one inference, asking again as long as that is safe and the deadline allows."""
        last: GatewayError | None = None
        crashes, pause_s = 0, self._retries.first_s
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        try:
            async with asyncio.timeout(self._models[job.model].deadline_s):
                if self.state(job.model).readiness is not Readiness.READY:
                    await self._until_ready(job.model)
                tried = self._placed(job)
                while True:
                    try:
                        return await self._attempt(tried.after(now_s() - began_s), on_progress)
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
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, self._retries.longest_s)
                    await self._until_ready(job.model)
        except TimeoutError:
            raise (last if isinstance(last, Busy | ModelNotLoaded) else TimedOut()) from last

    async def idle(self) -> None:
        """Wait until every answered stream has ended or was let go."""
        await self._endings.all()

    def _placed(self, job: Job) -> Job:
        """The job, for the version whose turn it is; the default one is asked for by no name."""
        version = self.version_for(job.model, job.request_id)
        is_default = version == self.state(job.model).version
        return job if job.version or is_default else replace(job, version=version)

    async def _attempt(self, job: Job, on_progress: OnProgress | None) -> Prediction:
        """Ask once; raises RetryError for what may be asked again, else the final error."""
        version = job.version or self.state(job.model).version or ""
        with self.traffic.attempt(job.model, version):
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

    async def _until_ready(self, model: str) -> None:
        try:
            async with asyncio.timeout(self._retries.recovery_s):
                while (state := await self._look(model)).readiness is not Readiness.READY:
                    if state.readiness is Readiness.MISSING:
                        raise NotDeployed
                    await asyncio.sleep(_READY_POLL_S)
        except TimeoutError as error:
            raise ModelNotLoaded from error

    async def _look(self, model: str) -> ModelState:
        """Look at the default version, and at those that requests are on beside it."""
        state = self._states[model] = await self._described(f"/models/{model}")
        seen = {state.version: state} if state.version else {}
        for version in self.traffic.in_use(model) - {"", *seen}:
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
