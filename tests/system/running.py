"""A stack that is up, and what a test asks of it."""

import io
import json
import math
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
import psutil
from PIL import Image

from gateway.stack.running import Stack
from tests.handlers.torchserve_rows import ROOT, read_frames
from tests.patience import PATIENCE_S

SAMPLES: Final = ROOT / "gateway" / "web" / "samples"
PERSON: Final = SAMPLES / "people" / "woman-coral-tee.jpg"
GARMENT: Final = SAMPLES / "garments" / "fitted-striped-tee.jpg"
PARAMS: Final = {"category": "upper_body", "output_format": "jpeg"}
_LOOK_S: Final = 0.05

_numbers = count(1)


def unlike(path: Path) -> bytes:
    """Give the same picture to the eye, another one to every cache, as PNG."""
    number = next(_numbers)
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    for shift in range(3):
        image.putpixel((shift, 0), ((number >> 8 * shift) & 255, 0, 0))
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=1)
    return written.getvalue()


def until(holds: Callable[[], bool], what: str) -> None:
    """Look until something holds; fails the test when it never does."""
    pause, end = threading.Event(), monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < end, f"never: {what}"
        pause.wait(_LOOK_S)


def patient(folder: Path) -> Path:
    """Copy the shipped configuration to a new folder, with time for any machine; give it."""
    shutil.copytree(ROOT / "config", folder)
    for file in folder.glob("*.yaml"):
        limits = r"^(responseTimeout|startupTimeout): \d+"
        given = rf"\1: {PATIENCE_S:.0f}"
        file.write_text(re.sub(limits, given, file.read_text(), flags=re.MULTILINE))
    return folder


def cpu_s(process: psutil.Process) -> float:
    """Give the seconds of a core that a process has used."""
    used = process.cpu_times()
    return float(used.user + used.system)


def lives(process: psutil.Process) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True)
class Running:
    """A stack that is up, with its logs."""

    stack: Stack
    logs: Path

    def try_on(
        self,
        person: bytes,
        garment: bytes,
        request_id: str = "",
        options: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Ask the gateway for a try-on."""
        files = {"user_image": ("person", person), "garment_image": ("garment", garment)}
        typed = {name: (*part, _media_type(part[1])) for name, part in files.items()}
        headers = {"X-Request-Id": request_id} if request_id else {}
        url = f"{self.stack.url}/api/v1/process-tryon"
        return httpx.post(url, files=typed, data=options, headers=headers, timeout=PATIENCE_S)

    def infer(
        self, person: bytes, garment: bytes, request_id: str = "", **params: object
    ) -> list[tuple[str, Any]]:
        """Ask TorchServe itself; give the frames of its answer."""
        parts = {
            "params": (None, json.dumps({**PARAMS, **params}).encode(), "application/json"),
            "person_image": ("person", person, "image/png"),
            "garment_image": ("garment", garment, "image/png"),
        }
        url = f"{self.stack.inference_url}/predictions/geometric"
        headers = {"X-Request-Id": request_id} if request_id else {}
        answer = httpx.post(url, files=parts, headers=headers, timeout=PATIENCE_S)
        assert answer.status_code == 200
        return read_frames(answer.content)

    def worker(self, model: str = "geometric") -> psutil.Process:
        """Find a model's worker process."""
        return psutil.Process(int(self.model(model)["workers"][0]["pid"]))

    def model(self, name: str = "geometric") -> dict[str, Any]:
        """Ask the management API how a model is."""
        described = httpx.get(f"{self.stack.management_url}/models/{name}", timeout=PATIENCE_S)
        model: dict[str, Any] = described.json()[0]
        return model

    @contextmanager
    def standing_still(self, model: str = "geometric", until_wait: int = 1) -> Iterator[None]:
        """Stop a model's worker while inside; it goes on when so many requests wait for it."""
        worker = self.worker(model)
        worker.suspend()
        try:
            yield
            until(lambda: self.waiting(model) >= until_wait, f"{until_wait} wait for {model}")
        finally:
            worker.resume()

    def waiting(self, model: str) -> int:
        """How many requests no worker has taken yet."""
        return int(self.model(model)["jobQueueStatus"]["pendingRequests"])

    def gauge(self, name: str) -> float:
        """Read one of the try-on worker's metrics, which follow its answers; NaN before any."""
        for line in httpx.get(self.stack.metrics_url, timeout=PATIENCE_S).text.splitlines():
            if line.startswith(f"{name}{{") and 'model="geometric"' in line:
                return float(line.split()[-1])
        return math.nan

    def lines(self, part: str) -> list[dict[str, Any]]:
        """Read a log; every line must be a JSON object, but for one that is being written."""
        written, _, _ = (self.logs / f"{part}.log").read_text().rpartition("\n")
        return [json.loads(line) for line in written.split("\n") if line]

    def told(self, part: str, request_id: str) -> list[dict[str, Any]]:
        """Give a request's lines, once there are any; a log follows its answer."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines(part) if line["request_id"] == request_id]

        until(lambda: bool(found()), f"{request_id} in the log of {part}")
        return found()

    def inference(self, request_id: str) -> dict[str, Any]:
        """Give the one line that a worker writes of a request that it has answered."""

        def found() -> list[dict[str, Any]]:
            lines = self.told("torchserve", request_id)
            return [line for line in lines if line["message"] == "inference"]

        until(lambda: bool(found()), f"the inference {request_id} in the log")
        (one,) = found()
        return one


def _media_type(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
