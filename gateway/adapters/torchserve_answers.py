"""What TorchServe's answers mean: statuses, error frames and model descriptions, as tables."""

import json
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pydantic import JsonValue

from gateway.domain.frames import BrokenStream, Frame
from gateway.domain.jobs import UNKNOWN, ModelState, Progress, Readiness
from gateway.domain.redaction import shows_internals
from gateway.errors.kinds import (
    BadDimensions,
    Busy,
    ContentMismatch,
    GatewayError,
    InferenceFailed,
    InvalidInput,
    Misconfigured,
    ModelNotLoaded,
    OutOfMemory,
    PinsFull,
    TooLate,
    Unfit,
)

_WORKER_ERRORS: Final[Mapping[str, type[GatewayError]]] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            InvalidInput,
            ContentMismatch,
            ModelNotLoaded,
            InferenceFailed,
            OutOfMemory,
            BadDimensions,
            PinsFull,
            TooLate,
            Unfit,
        )
    }
)
_OK: Final = 200
_NOT_FOUND: Final = 404
_NO_WORKER_OR_QUEUE_FULL: Final = 503
_WORKER_DIED: Final = frozenset({500, 507})
_REFUSED_BY_SETUP: Final = frozenset({400, 401, 403, 405, 413})


class RetryError(Exception):
    """No answer came, and asking again is safe; `crashed` when it may have cost a worker."""

    def __init__(self, reason: str, error: GatewayError, *, crashed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.crashed = crashed


def error_of_status(status: int, state: ModelState) -> GatewayError | RetryError:
    """What an HTTP status of TorchServe itself means; the model's last state tells 503s apart."""
    if status in _WORKER_DIED:
        return RetryError("worker_died", InferenceFailed(), crashed=True)
    if status == _NO_WORKER_OR_QUEUE_FULL:
        is_ready = state.readiness is Readiness.READY
        return RetryError("no_worker", Busy() if is_ready else ModelNotLoaded())
    if status == _NOT_FOUND:
        return ModelNotLoaded()
    if status in _REFUSED_BY_SETUP:
        return Misconfigured()
    return InferenceFailed()


def error_of_frame(frame: Frame) -> GatewayError | RetryError:
    """The error that a worker sent in band, free of anything internal."""
    content = frame.json()
    kind = _WORKER_ERRORS.get(str(content.get("error_code")), InferenceFailed)
    message, details = content.get("message"), content.get("details")
    error = kind(
        message if isinstance(message, str) and not shows_internals(message) else None,
        details=_listed(_public(details)) if isinstance(details, dict) else None,
    )
    if content.get("retryable") is True:
        return RetryError("worker_asked", error, crashed=True)
    return error


def _listed(details: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The details, in which a worker's faults by field are a list of faults, as ours are."""
    fields = details.get("fields")
    if not isinstance(fields, dict):
        return details
    return details | {"fields": [{"field": name, "message": fields[name]} for name in fields]}


def progress_of_frame(frame: Frame) -> Progress:
    """The progress that a worker reports; raises BrokenStream when it is malformed."""
    content = frame.json()
    stage, step, of = (content.get(name) for name in ("stage", "step", "of"))
    if not (isinstance(stage, str) and isinstance(step, int) and isinstance(of, int)):
        raise BrokenStream("a progress frame without stage, step and of")
    return Progress(stage, step, of, *_outlook(content))


def _outlook(content: Mapping[str, JsonValue]) -> tuple[int | None, float | None]:
    """How many come before, and in how many seconds it will be done, where the worker says it."""
    position, estimate_s = content.get("queue_position"), content.get("estimate_s")
    if not isinstance(estimate_s, int | float) or not math.isfinite(estimate_s):
        estimate_s = None
    return position if isinstance(position, int) else None, estimate_s


def model_state(status: int, body: bytes) -> ModelState:
    """Read `GET /models/{model}`: the default version and its workers."""
    if status == _NOT_FOUND:
        return ModelState(Readiness.MISSING)
    if status != _OK:
        return UNKNOWN
    try:
        described = json.loads(body)[0]
        return described_state(described)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return UNKNOWN


def described_state(model: Mapping[str, Any]) -> ModelState:
    """One version as TorchServe describes it; raises KeyError and the like for anything else."""
    workers: Sequence[Mapping[str, Any]] = model["workers"]
    ready = [worker for worker in workers if worker.get("status") == "READY"]
    return ModelState(
        readiness=Readiness.READY if ready else Readiness.LOADING,
        version=model["modelVersion"],
        ready_workers=len(ready),
        workers=len(workers),
        memory_bytes=sum(int(worker.get("memoryUsage") or 0) for worker in workers),
        ready_pids=frozenset(int(worker.get("pid") or 0) for worker in ready),
        batch_size=int(model.get("batchSize") or 1),
        pids=frozenset(pid for one in workers if (pid := int(one.get("pid") or 0)) > 0),
        gpu=any(worker.get("gpu") is True for worker in workers),
    )


def _public(details: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The details without any string that shows something internal."""
    return {
        name: value for name, value in details.items() if not shows_internals(json.dumps(value))
    }
