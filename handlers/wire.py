"""TorchServe's rows in, self-delimiting frames out. The only module that knows TorchServe.

A frame is one kind byte, the payload's length as a big-endian unsigned 32-bit number, and the
payload: `P` progress, `V` preview, `I` image, `D` done, `E` error. A stream ends with exactly one
`D` or `E`; errors of a request travel in band, because the HTTP status is fixed at the first frame.
"""

import json
import re
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar, cast

from handlers.errors import BadParameters, HandlerError
from handlers.forgetting import ForgetRequest
from handlers.request import Request
from handlers.schedule import Schedule
from handlers.settings import Offer

CONTENT_TYPE: Final = "application/vnd.vton.frames"
REQUEST_ID_HEADER: Final = "x-request-id"

_PARAMS: Final = "params"
_SCHEDULE: Final = "schedule"
_JSON_PARTS: Final = (_PARAMS, _SCHEDULE)
_SAFE_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_LENGTH: Final = struct.Struct("!I")

Row = Mapping[str, Any]
R = TypeVar("R", bound=Request)


class Context(Protocol):
    """What is used of `ts.context.Context`."""

    manifest: Mapping[str, Any]
    model_yaml_config: Mapping[str, Any]
    metrics: Any
    stopping_criteria: Any
    system_properties: Mapping[str, Any]

    def get_request_id(self, idx: int = 0) -> str | None:
        """Give the id TorchServe gave the row."""
        ...

    def get_all_request_header(self, idx: int) -> dict[str, Any]:
        """Give the row's HTTP headers, names as sent."""
        ...

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Set the row's content type, before its first frame."""
        ...


def frame(kind: bytes, payload: bytes) -> bytes:
    """Pack one frame."""
    return kind + _LENGTH.pack(len(payload)) + payload


def json_frame(kind: bytes, value: Mapping[str, Any]) -> bytes:
    """Pack one frame whose payload is JSON."""
    return frame(kind, json.dumps(value, separators=(",", ":")).encode())


class Stream(ABC):
    """One request, and the frames that answer it; the last one is done or error."""

    def __init__(self, row: Row, context: Context, index: int) -> None:
        self._row = row
        self.finished = False
        self.request_id = _request_id(context, index)

    def request(self, kind: type[R], offer: Offer) -> R:
        """Read the row; raises BadParameters naming every part or option that is wrong."""
        asked = _task(self._row, kind)
        _refuse_parts(self._row, asked, offer)
        pictures = {
            name: bytes(part) for name, part in self._row.items() if name not in _JSON_PARTS
        }
        return asked.read(_object(self._row, _PARAMS), pictures, offer)

    def forgetting(self) -> ForgetRequest | None:
        """Read the row as pictures to forget; None where it is another task."""
        if self._row.keys() != {_PARAMS}:
            return None
        return ForgetRequest.read(_object(self._row, _PARAMS))

    def schedule(self) -> Schedule:
        """Read what the row tells beside its options; raises BadParameters naming what is wrong."""
        if _SCHEDULE not in self._row:
            return Schedule()
        return Schedule.read(_object(self._row, _SCHEDULE))

    def progress(self, stage: str, step: int, of: int, **place: float) -> None:
        """Tell that `stage` begins as the `step`-th of `of`, or that it came so far itself.

        `place` says how many others go first (queue_position), and when all is done (estimate_s).
        """
        self._send(json_frame(b"P", {"stage": stage, "step": step, "of": of, **place}))

    def preview(self, jpeg: bytes) -> None:
        """Show how it looks after the step that was told last."""
        self._send(frame(b"V", jpeg))

    def done(self, images: Sequence[bytes], metadata: Mapping[str, Any]) -> None:
        """End the stream with its pictures and what is to know of them."""
        frames = [frame(b"I", image) for image in images]
        self._end(b"".join([*frames, json_frame(b"D", metadata)]))

    def error(self, error: HandlerError) -> None:
        """End the stream with an error."""
        self._end(json_frame(b"E", error.as_dict()))

    def _end(self, frames: bytes) -> None:
        self.finished = True
        self._send(frames)

    @abstractmethod
    def _send(self, frames: bytes) -> None: ...


class Exchange(Stream):
    """One row of a batch that is served at once.

    Frames leave as they are made, so a row's result does not wait for its batch mates.
    """

    def __init__(self, row: Row, context: Context, index: int) -> None:
        super().__init__(row, context, index)
        self._context = context
        self._index = index
        context.set_response_content_type(index, CONTENT_TYPE)

    def _send(self, frames: bytes) -> None:
        from ts.handler_utils.utils import (  # noqa: PLC0415  ts imports torch; a worker has it
            send_intermediate_predict_response,
        )

        answers, ids = (
            {self._index: frames},
            {self._index: self._context.get_request_id(self._index)},
        )
        send_intermediate_predict_response(answers, ids, "ok", 200, self._context)


def closing(batch: Sequence[Exchange]) -> list[bytes]:
    """Give what `handle` returns when every exchange has ended: nothing more to say, per row."""
    return [b"" for _ in batch]


class Conversation(Stream):
    """One request over many turns of the worker; its frames leave when a turn ends.

    Another thread may send while this one takes.
    """

    def __init__(self, row: Row, context: Context, index: int) -> None:
        super().__init__(row, context, index)
        self.name = str(context.get_request_id(index))
        self._frames: deque[bytes] = deque()
        self._is_open = False

    def _send(self, frames: bytes) -> None:
        self._frames.append(frames)

    def take(self) -> tuple[bytes, bool | None]:
        """Give the frames of this turn, and TorchServe's word on whether they are the last.

        False: more will come; True: these end a stream; None: these are the whole answer, which
        TorchServe must hear of a stream that was never opened, or its caller waits for ever.
        """
        frames = b"".join(self._frames.popleft() for _ in range(len(self._frames)))
        is_last = (True if self._is_open else None) if self.finished else False
        self._is_open = True
        return frames, is_last


def continues(context: Context) -> bool:
    """Say whether requests stay with the worker from one call of it to the next."""
    return bool(context.model_yaml_config.get("continuousBatching", False))


def present(rows: Sequence[Row], context: Context) -> dict[str, int]:
    """Give the row of everybody who is still there, by TorchServe's name for the request."""
    return {str(context.get_request_id(index)): index for index in range(len(rows))}


def answers(conversations: Sequence[Conversation], context: Context) -> list[bytes]:
    """Give what `handle` returns after a turn: every row's frames, in the rows' order."""
    taken = [one.take() for one in conversations]
    for index in range(len(taken)):
        context.set_response_content_type(index, CONTENT_TYPE)
    context.stopping_criteria = [_always(is_last) for _, is_last in taken]
    return [frames for frames, _ in taken]


def model_folder(context: Context) -> str:
    """Give the folder that the archive was unpacked to, the same for all its workers."""
    return str(context.system_properties.get("model_dir") or "")


def model_version(context: Context) -> str:
    """Give the version the archive was made with."""
    return str(context.manifest["model"]["modelVersion"])


class MetricSink:
    """Custom metrics by name, as declared in `config/metrics.yaml`; an unknown name is an error."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def add(self, name: str, value: float, *dimensions: str) -> None:
        """Add to a counter."""
        self._metric("counter", name).add_or_update(value, list(dimensions))

    def set(self, name: str, value: float, *dimensions: str) -> None:
        """Set a gauge."""
        self._metric("gauge", name).add_or_update(value, list(dimensions))

    def _metric(self, kind: str, name: str) -> Any:  # noqa: ANN401  TorchServe is untyped
        from ts.metrics.metric_type_enum import MetricTypes  # noqa: PLC0415  as above

        return self._context.metrics.get_metric(name, MetricTypes(kind))


def _always(word: bool | None) -> Callable[[bytes], bool | None]:  # noqa: FBT001  as TorchServe asks
    return lambda _frames: word


def _request_id(context: Context, index: int) -> str:
    headers = context.get_all_request_header(index)
    named = next((v for k, v in headers.items() if k.lower() == REQUEST_ID_HEADER), None)
    if isinstance(named, str) and _SAFE_ID.fullmatch(named):
        return named
    return context.get_request_id(index) or ""


def _task(row: Row, kind: type[R]) -> type[R]:
    """Say which kind a row is, of one that knows more than one task."""
    tasks = getattr(kind, "tasks", {})
    if not tasks or _PARAMS not in row:
        return kind
    task = _object(row, _PARAMS).get("task")
    return cast("type[R]", tasks.get(task, kind)) if isinstance(task, str) else kind


def _refuse_parts(row: Row, kind: type[Request], offer: Offer) -> None:
    wrong = {name: fault for name in row if (fault := _part_fault(name, row[name], kind, offer))}
    wrong |= {name: "missing" for name in (_PARAMS, *kind.required) if name not in row}
    if wrong:
        raise BadParameters("The request's parts are not valid.", {"fields": wrong})


def _part_fault(name: str, part: object, kind: type[Request], offer: Offer) -> str | None:
    if name in _JSON_PARTS:
        return None
    if name not in (*kind.required, *kind.optional):
        return "unknown field"
    if name in kind.optional and name not in offer.options:
        return f"the {offer.engine} engine cannot honour this option"
    return None if isinstance(part, (bytes, bytearray)) else "must be a picture"


def _object(row: Row, part: str) -> Mapping[str, Any]:
    raw = row[part]
    # TorchServe has parsed the part already when it was declared as JSON and is JSON.
    if isinstance(raw, (bytes, bytearray, str)):
        try:
            raw = json.loads(raw)
        except ValueError:
            raw = None
    if not isinstance(raw, dict):
        raise BadParameters(
            "The parameters are not valid.",
            {"fields": {part: "must be a JSON object"}},
        )
    return raw
