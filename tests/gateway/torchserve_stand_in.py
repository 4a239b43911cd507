"""A small server that speaks TorchServe's side of the protocol, with faults on demand.

It listens on loopback, streams real frames, and describes its models as TorchServe does. What it
is to do with the next requests is a queue of faults; an empty queue means a good answer: dressed
pictures, those of an analysis where no garment was sent, drawn people where no picture was.
"""

import asyncio
import io
import json
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Fault(Enum):
    """What can go wrong with one request."""

    NONE = auto()
    DIES_BEFORE = auto()  # 507 at once
    NO_WORKER = auto()  # 503
    SILENT = auto()  # not a byte, as when a worker took the request along
    CUT = auto()  # connection lost between two frames
    ENDS_EARLY = auto()  # a clean end without a terminal frame
    STALLS = auto()  # nothing more after the first frame
    GARBAGE = auto()
    REFUSES = auto()  # ML_4005 in band
    OUT_OF_MEMORY = auto()  # ML_4003 in band, retryable
    LEAKS = auto()  # an error whose message shows a path
    CRASHES = auto()  # ML_4002 in band


ERRORS = {
    Fault.REFUSES: {
        "error_code": "ML_4005",
        "message": "There is nobody in the picture.",
        "details": {"image": "person_image", "reason": "no_person"}, "retryable": False,
    },
    Fault.OUT_OF_MEMORY: {
        "error_code": "ML_4003", "message": "No memory.", "details": {}, "retryable": True,
    },
    Fault.LEAKS: {
        "error_code": "ML_4002", "message": "cannot open /home/model-server/tmp/x.py: No such file",
        "details": {"path": "/home/model-server", "stage": "pose"}, "retryable": False,
    },
    Fault.CRASHES: {
        "error_code": "ML_4002", "message": "It failed.", "details": {}, "retryable": False,
    },
}  # fmt: skip

_MEDIAPIPE = {
    "part": "pose", "name": "mediapipe", "licence": "Apache-2.0", "commercial_use": True,
}  # fmt: skip


def frame(kind: bytes, payload: bytes | dict[str, Any]) -> bytes:
    """One frame as a worker packs it."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return kind + struct.pack("!I", len(raw)) + raw


@dataclass(repr=False)
class StandIn:
    """The server's state: what is to go wrong, what was asked, and whether it is ready."""

    faults: deque[Fault] = field(default_factory=deque)
    asked: list[dict[str, Any]] = field(default_factory=list)
    caller_ports: list[int] = field(default_factory=list)
    is_ready: bool = True
    is_registered: bool = True
    not_deployed: set[str] = field(default_factory=set)
    not_ready: set[str] = field(default_factory=set)
    is_broken: bool = False
    delay_s: float = 0.0
    pid: int = 4711
    version: str = "1.0"
    analysis_names: list[str] = field(default_factory=lambda: ["mask", "parse_map", "densepose"])
    blocked: int = 0
    drawing: dict[str, Any] = field(default_factory=dict)
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    ends: asyncio.Event = field(default_factory=lambda: _set(asyncio.Event()))
    answers: asyncio.Event = field(default_factory=lambda: _set(asyncio.Event()))
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    was_looked_at: asyncio.Event = field(default_factory=asyncio.Event)

    async def predictions(self, request: Request) -> Response:
        """The inference API."""
        parser = MultiPartParser(request.headers, request.stream(), max_part_size=1 << 20)
        parser.spool_max_size = 1 << 30
        form = await parser.parse()
        parts = {
            name: value if isinstance(value, str) else await value.read()
            for name, value in form.items()
        }
        await form.close()
        parts["request_id"] = request.headers.get("x-request-id", "")
        version: str = request.path_params.get("version", self.version)
        parts["version"] = version
        self.asked.append(parts)
        self.caller_ports.append(request.client.port if request.client else 0)
        self.was_asked.set()
        if not self._knows(request):
            return JSONResponse({"code": 404, "type": "ModelNotFoundException"}, 404)
        fault = self._fault(version)
        if fault is Fault.DIES_BEFORE:
            return JSONResponse({"code": 507, "message": "Worker died."}, 507)
        if fault is Fault.NO_WORKER:
            return JSONResponse({"code": 503, "message": "has no worker to serve"}, 503)
        if fault is Fault.SILENT:
            await self.stalled.wait()
        return StreamingResponse(
            self._stream(fault, parts), media_type="application/vnd.vton.frames"
        )

    def _fault(self, version: str) -> Fault:  # noqa: ARG002 - for those that know several
        return self.faults.popleft() if self.faults else Fault.NONE

    async def _stream(self, fault: Fault, parts: dict[str, Any]) -> AsyncIterator[bytes]:
        yield frame(b"P", {"stage": "segmentation", "step": 1, "of": 4})
        if fault in ERRORS:
            yield frame(b"E", ERRORS[fault])
            await self.ends.wait()
            return
        if fault is Fault.CUT:
            raise ConnectionResetError
        if fault is Fault.ENDS_EARLY:
            return
        if fault is Fault.STALLS:
            await self.stalled.wait()
        if fault is Fault.GARBAGE:
            yield b"X" * 64
            return
        await asyncio.sleep(self.delay_s)
        body = self._answer(parts)
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]
        await self.ends.wait()

    def _answer(self, parts: dict[str, Any]) -> bytes:
        if "garment_image" in parts:
            return self._dressed(parts)
        return self._analysed(parts) if "person_image" in parts else self._drawn(parts)

    def _dressed(self, parts: dict[str, Any]) -> bytes:
        params = json.loads(parts["params"])
        size = (params.get("width_px", 768), params.get("height_px", 1024))
        encoded = _picture(params["output_format"], "RGB", size)
        told = {
            "engine": "geometric",
            "model": "geometric",
            "model_version": parts["version"],
            "category": params["category"],
            "width_px": size[0],
            "height_px": size[1],
            "output_format": params["output_format"],
            "seed": params.get("seed", 0),
            "steps": 1,
            "kept_share": 0.8,
            "confidence": 0.9,
            "warnings": [],
            "stage_ms": {"segmentation": 10.0, "pose": 5.0, "garment_transfer": 20.0},
            "cache": {"person": "miss", "garment": "miss"},
        }
        pictures: int = params.get("num_samples", 1)
        return pictures * frame(b"I", encoded) + frame(b"D", told)

    def _analysed(self, parts: dict[str, Any]) -> bytes:
        size = Image.open(io.BytesIO(parts["person_image"])).size
        grey, coloured = (_picture("png", mode, size) for mode in ("L", "RGB"))
        told = {
            "engine": "person",
            "model": "person",
            "model_version": parts["version"],
            "images": self.analysis_names,
            "width_px": size[0],
            "height_px": size[1],
            "keypoint_names": ["nose", "neck", "right_shoulder"],
            "keypoints": [[10.5, 20.25, 0.9], None, [3, 4, 1]],
            "labels": {"background": 0, "upper_clothes": 4},
            "warnings": [{"code": "approximate", "message": "Few joints were seen."}],
            "models": [_MEDIAPIPE],
            "stage_ms": {"pose": 5.0},
            "cache": {"person": "miss"},
        }
        pictures = frame(b"I", grey) + frame(b"I", grey) + frame(b"I", coloured)
        return pictures + frame(b"D", told)

    def _drawn(self, parts: dict[str, Any]) -> bytes:
        params = json.loads(parts["params"])
        first = params.get("seed", 0)
        seeds = [first + index for index in range(params["count"])][self.blocked :]
        encoded = _picture(params["output_format"], "RGB", (832, 1216))
        told = {
            "engine": "sdxl",
            "model_version": parts["version"],
            "ai_generated": True,
            "seeds": seeds,
            "blocked": self.blocked,
            "steps": 25,
        }
        return len(seeds) * frame(b"I", encoded) + frame(b"D", told | self.drawing)

    def _knows(self, request: Request) -> bool:
        return self.is_registered and request.path_params["name"] not in self.not_deployed

    async def model(self, request: Request) -> Response:
        """The management API."""
        self.was_looked_at.set()
        await self.answers.wait()
        if self.is_broken:
            return JSONResponse({"code": 500, "type": "InternalServerException"}, 500)
        if not self._knows(request):
            return JSONResponse({"code": 404, "type": "ModelNotFoundException"}, 404)
        name = request.path_params["name"]
        status = "READY" if self.is_ready and name not in self.not_ready else "UNLOADING"
        worker = {"id": "9000", "status": status, "memoryUsage": 400_000_000, "pid": self.pid}
        told = {"modelName": name, "modelVersion": self.version, "batchSize": 4}
        return JSONResponse([told | {"workers": [worker | {"gpu": False}]}])

    def app(self) -> Starlette:
        """Both APIs on one port."""
        return Starlette(
            routes=[
                Route("/predictions/{name}", self.predictions, methods=["POST"]),
                Route("/predictions/{name}/{version}", self.predictions, methods=["POST"]),
                Route("/models/{name}", self.model),
            ]
        )


def _set(event: asyncio.Event) -> asyncio.Event:
    event.set()
    return event


@cache
def _picture(kind: str, mode: str, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, "teal").save(buffer, kind.upper())
    return buffer.getvalue()


@asynccontextmanager
async def serve(app: Any, port: int = 0) -> AsyncIterator[str]:  # noqa: ANN401 - any ASGI app
    """Serve an ASGI app on a free loopback port; yields its URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off"
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{bound}"
    finally:
        await _end(server)


async def _end(server: uvicorn.Server) -> None:
    """End at once what uvicorn itself ends on the next tick of its clock."""
    for listener in server.servers:
        listener.close()
    tasks = list(server.server_state.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for connection in list(server.server_state.connections):
        connection.shutdown()


async def _main(port: int) -> None:
    async with serve(StandIn().app(), port) as url:
        print(url, flush=True)  # noqa: T201 - the address is the output
        await asyncio.Event().wait()


if __name__ == "__main__":
    import sys

    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
