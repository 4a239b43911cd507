"""A stack that is up, and what a test asks of it."""

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from PIL import Image

from gateway.stack.running import Stack
from tests.handlers.torchserve_rows import ROOT, read_frames

SAMPLES: Final = ROOT / "gateway" / "web" / "samples"
PERSON: Final = SAMPLES / "people" / "woman-coral-tee.jpg"
GARMENT: Final = SAMPLES / "garments" / "fitted-striped-tee.jpg"
PARAMS: Final = {"category": "upper_body", "output_format": "jpeg"}
_WAIT_S: Final = 30.0
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
    """Look until something holds; fails the test when it does not within half a minute."""
    pause = threading.Event()
    for _ in range(int(_WAIT_S / _LOOK_S)):
        if holds():
            return
        pause.wait(_LOOK_S)
    raise AssertionError(f"never: {what}")


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
        timeout_s: float = 60.0,
    ) -> httpx.Response:
        """Ask the gateway for a try-on."""
        files = {"user_image": ("person", person), "garment_image": ("garment", garment)}
        typed = {name: (*part, _media_type(part[1])) for name, part in files.items()}
        headers = {"X-Request-Id": request_id} if request_id else {}
        url = f"{self.stack.url}/api/v1/process-tryon"
        return httpx.post(url, files=typed, data=options, headers=headers, timeout=timeout_s)

    def infer(self, person: bytes, garment: bytes, **params: object) -> list[tuple[str, Any]]:
        """Ask TorchServe itself; give the frames of its answer."""
        parts = {
            "params": (None, json.dumps({**PARAMS, **params}).encode(), "application/json"),
            "person_image": ("person", person, "image/png"),
            "garment_image": ("garment", garment, "image/png"),
        }
        url = f"{self.stack.inference_url}/predictions/geometric"
        answer = httpx.post(url, files=parts, timeout=60)
        assert answer.status_code == 200
        return read_frames(answer.content)

    def worker(self, model: str = "geometric") -> psutil.Process:
        """Find a model's worker process."""
        return psutil.Process(int(self.model(model)["workers"][0]["pid"]))

    def model(self, name: str = "geometric") -> dict[str, Any]:
        """Ask the management API how a model is."""
        described = httpx.get(f"{self.stack.management_url}/models/{name}", timeout=10)
        model: dict[str, Any] = described.json()[0]
        return model

    def gauge(self, name: str) -> float:
        """Read one of the try-on worker's metrics."""
        for line in httpx.get(self.stack.metrics_url, timeout=10).text.splitlines():
            if line.startswith(f"{name}{{") and 'model="geometric"' in line:
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    def lines(self, part: str) -> list[dict[str, Any]]:
        """Read a log; every line must be a JSON object."""
        return [json.loads(line) for line in (self.logs / f"{part}.log").read_text().splitlines()]

    def inferences(self, count: int, request_id: str = "", after: int = 0) -> list[dict[str, Any]]:
        """Give the worker's inference lines, once there are `count`; a log follows its answer."""

        def found() -> list[dict[str, Any]]:
            written = (line for line in self.lines("torchserve") if line["message"] == "inference")
            return [one for one in written if request_id in ("", one["request_id"])][after:]

        until(lambda: len(found()) >= count, f"{count} inferences in the log")
        return found()


def _media_type(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
