"""A gateway in this process, in front of a TorchServe stand-in on loopback."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import structlog

from gateway.app import create_app
from gateway.metrics import Metrics
from gateway.resources import Resources, open_resources
from gateway.settings import Settings
from tests.gateway import pictures
from tests.gateway.torchserve_stand_in import StandIn, serve

ENGINES = """
tryon:
  engine: geometric
  categories: [upper_body, lower_body, dresses]
  options: [category, width_px, height_px, output_format, seed, mask]
  licence: Apache-2.0
  commercial_use: true
"""


@dataclass
class ManualClock:
    """A clock that moves when it is told to."""

    time_s: float = 1_790_000_000.0

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s


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


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def running_gateway(folder: Path, **sections: Any) -> AsyncIterator[Gateway]:  # noqa: ANN401
    """A gateway with these settings, and a stand-in behind it."""
    (folder / "geometric.yaml").write_text(ENGINES)
    stand_in, clock = StandIn(), ManualClock()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(stand_in.app()))
        settings = Settings.model_validate(
            {
                "storage": {"url": "memory://", **sections.pop("storage", {})},
                "torchserve": {
                    "inference_url": url,
                    "management_url": url,
                    "retry_first_s": 0.01,
                    **sections.pop("torchserve", {}),
                },
                "tryon": {"engines_dir": folder, **sections.pop("tryon", {})},
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
        stand_in.stalled.set()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with its default settings, storing in memory."""
    async with running_gateway(tmp_path) as running:
        yield running
