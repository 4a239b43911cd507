"""A gateway in this process, in front of a TorchServe stand-in on loopback."""

import json
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import httpx
import pytest
import structlog
import throttled.utils

from gateway.app import create_app
from gateway.metrics import Metrics
from gateway.resources import Resources, open_resources
from gateway.settings.tree import Settings
from tests.gateway import pictures
from tests.gateway.torchserve_stand_in import StandIn, serve

CONFIGURATION = {
    "geometric.yaml": """
tryon:
  engine: geometric
  categories: [upper_body, lower_body, dresses]
  options: [category, width_px, height_px, output_format, seed, mask]
  ranges: {width_px: [512, 2048], height_px: [768, 2048], seed: [0, 4294967295]}
  licence: Apache-2.0
  commercial_use: true
""",
    "diffusion.yaml": """
tryon:
  engine: diffusion
  categories: [upper_body, dresses]
  options: [category, output_format, seed, pose_seed, steps, guidance_scale, strength,
            num_samples, auto_crop, keep_unmasked, garment_description, mask, densepose]
  ranges: {steps: [20, 50], guidance_scale: [1.0, 10.0], strength: [0.05, 1.0],
           num_samples: [1, 4], seed: [0, 4294967295], pose_seed: [0, 4294967295]}
  defaults: {steps: 30, auto_crop: true}
  licence: CC-BY-NC-SA-4.0
  commercial_use: false
patience: {deadline_s: 900, first_frame_s: 600, stall_s: 120}
registry:
  inputs: [user_image, garment_image, mask, densepose]
  resolutions_px: [[768, 1024]]
  memory_bytes: {weights: 14000000000}
handler: {name: diffusion, version: 2.1.0, model_path: models/diffusion}
""",
    "person.yaml": """
analysis:
  engine: person
  categories: [upper_body, lower_body, dresses]
  options: [category, auto_crop]
  licence: Apache-2.0
  commercial_use: true
handler:
  understanding:
    device: cpu
    parser:
      kind: segformer
      weights: {path: models/p, licence: LicenseRef-SegFormer, commercial_use: false}
    pose:
      kind: vitpose
      weights: {path: "", licence: Apache-2.0, commercial_use: true}
    landmarks: {licence: Apache-2.0, commercial_use: true}
""",
    "sdxl.yaml": """
bodies:
  engine: sdxl
  options: [count, height_cm, weight_kg, gender, skin_tone, seed, steps, output_format]
  choices: {gender: [woman, man], skin_tone: [light, dark]}
  ranges: {count: [1, 10], height_cm: [140, 220], weight_kg: [40, 200], steps: [10, 50],
           seed: [0, 4294967295]}
  defaults: {steps: 25}
  licence: LicenseRef-CreativeML-OpenRAIL-PlusPlus-M
  commercial_use: true
""",
}


USUAL = {"height_cm": 172, "weight_kg": 68.5}
UNLIMITED = {
    "inference_per_min": 60_000,
    "read_per_min": 60_000,
    "write_per_min": 60_000,
    "anonymous_per_min": 60_000,
    "open_sessions": 10_000,
}


HANGS_S: Final = 60.0
"""What takes so long will never end; no machine is so slow, or so busy with other tests."""


@dataclass
class ManualClock:
    """A clock that moves when it is told to."""

    time_s: float = 1_790_000_000.0

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s


@dataclass
class GoingClock(ManualClock):
    """A clock that goes on by itself as well: what is put off for a moment has its time."""

    began_s: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        return self.time_s + time.monotonic() - self.began_s

    def monotonic(self) -> float:
        return self.now()


class Gateway:
    """What a test talks to."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        resources: Resources,
        torchserve: StandIn,
        clock: ManualClock,
    ) -> None:
        self.client = client
        self.resources = resources
        self.torchserve = torchserve
        self.clock = clock
        self.person = pictures.jpeg((96, 120), seed=1)
        self.garment = pictures.jpeg((96, 120), seed=2)

    async def tryon(
        self,
        person: Any = None,  # noqa: ANN401 - bytes, or httpx's (name, bytes, type)
        garment: Any = None,  # noqa: ANN401
        headers: dict[str, str] | None = None,
        files: dict[str, Any] | None = None,
        fields: Mapping[str, object] = MappingProxyType({}),
    ) -> httpx.Response:
        """Ask for a try-on as a form."""
        return await self.client.post(
            "/api/v1/process-tryon",
            headers=headers,
            files={
                "user_image": _file(person or self.person),
                "garment_image": _file(garment or self.garment),
                **(files or {}),
            },
            data={name: str(value) for name, value in fields.items()},
        )

    async def tryon_json(self, body: object) -> httpx.Response:
        """Ask for a try-on as JSON; text is sent as it is."""
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        return await self.client.post("/api/v1/process-tryon", content=content, headers=headers)

    async def analyse(
        self,
        person: Any = None,  # noqa: ANN401
        fields: Mapping[str, object] = MappingProxyType({}),
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Ask for an analysis as a form."""
        return await self.client.post(
            "/api/v1/person/analyse",
            headers=headers,
            files={"user_image": _file(person or self.person)},
            data={name: str(value) for name, value in fields.items()},
        )

    async def analyse_json(self, body: object) -> httpx.Response:
        """Ask for an analysis as JSON."""
        return await self.client.post("/api/v1/person/analyse", json=body)

    async def draw(self, **body: Any) -> httpx.Response:  # noqa: ANN401
        """Ask for people of usual height and weight, unless told otherwise."""
        return await self.client.post("/api/v1/bodies", json=USUAL | body)

    async def upload(self, file: Any) -> httpx.Response:  # noqa: ANN401
        """Upload a picture."""
        return await self.client.post("/api/v1/uploads", files={"file": _file(file)})


def _file(file: Any) -> Any:  # noqa: ANN401
    return ("photo.jpg", file, "image/jpeg") if isinstance(file, bytes) else file


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Write nothing, unless a test sets up the log itself."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("CRITICAL"))
    yield
    structlog.configure(**before)


@pytest.fixture
def no_token_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still for the limits of this process: how long a test asks decides nothing."""
    monkeypatch.setattr(throttled.utils, "now_mono_f", lambda: 1000.0)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def running_gateway(
    folder: Path,
    without: Collection[str] = (),
    stand_in: StandIn | None = None,
    clock: ManualClock | None = None,
    **sections: Any,  # noqa: ANN401
) -> AsyncIterator[Gateway]:
    """A gateway with these settings, and a stand-in behind it; `without` some configurations."""
    for name in CONFIGURATION.keys() - {*without}:
        (folder / name).write_text(CONFIGURATION[name])
    stand_in, clock = stand_in or StandIn(), clock or ManualClock()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(stand_in.app()))
        stack.callback(stand_in.stalled.set)  # not before nobody waits for it any more
        settings = Settings.model_validate(
            {
                "storage": {"url": "memory://", **sections.pop("storage", {})},
                "database": {"url": f"sqlite:///{folder}/sessions.sqlite", "timeout_s": HANGS_S},
                "health": {"timeout_s": HANGS_S, **sections.pop("health", {})},
                "torchserve": {
                    "inference_url": url,
                    "management_url": url,
                    "connect_s": HANGS_S,
                    "retry_first_s": 0.01,
                    **sections.pop("torchserve", {}),
                },
                "tryon": {"engines_dir": folder, **sections.pop("tryon", {})},
                "limits": {**UNLIMITED, **sections.pop("limits", {})},
                **sections,
            }
        )
        resources = await stack.enter_async_context(
            open_resources(settings, Metrics(), clock=clock)
        )
        transport = httpx.ASGITransport(create_app(settings, resources))
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://gateway")
        )
        yield Gateway(client, resources, stand_in, clock)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with its default settings, storing in memory."""
    async with running_gateway(tmp_path) as running:
        yield running
