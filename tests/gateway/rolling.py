"""A gateway that rolls versions, before a stand-in that has them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway.domain.rollouts import ENDS
from handlers.archive import pack
from tests.gateway import pictures
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.gateway.versions_stand_in import VersionsStandIn
from tests.handlers.torchserve_rows import ROOT

TOKEN = "the-token-of-whoever-runs-this-place"  # noqa: S105 - the tests' own
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
MODEL = "/api/v1/admin/models/geometric"


@dataclass
class Rolling:
    """What a test of rollouts talks to."""

    gateway: Gateway
    server: VersionsStandIn
    served: int = 0

    async def ask(self, method: str, path: str = "", **body: Any) -> httpx.Response:  # noqa: ANN401
        """Ask an admin route, as JSON where there is something to say."""
        url = MODEL + path
        return await self.gateway.client.request(method, url, headers=ADMIN, json=body or None)

    async def roll(self, version: str = "1.1.0", *, share: float = 0.0, **wish: float) -> str:
        """Begin a rollout; give its id."""
        answer = await self.ask("POST", "/versions", version=version, share=share, **wish)
        assert answer.status_code == 202, answer.text
        rollout_id: str = answer.json()["rollout_id"]
        return rollout_id

    async def until(self, rollout_id: str, *states: str) -> dict[str, Any]:
        """Look until the rollout is in one of these states, or at its end."""
        async with asyncio.timeout(HANGS_S):
            while True:
                told: dict[str, Any] = (await self.ask("GET", f"/rollouts/{rollout_id}")).json()
                if told["state"] in ({*states} or ENDS):
                    return told
                await asyncio.sleep(0)  # asking gives nobody else a turn

    async def versions(self) -> dict[str, dict[str, Any]]:
        """The versions by name."""
        told = (await self.ask("GET", "/versions")).json()["versions"]
        return {one["version"]: one for one in told}

    async def dress(self) -> str:
        """A try-on that no cache knows; give the version that served it."""
        self.served += 1
        answer = await self.gateway.tryon(pictures.jpeg((96, 120), seed=1000 + self.served))
        assert answer.status_code == 200, answer.text
        version: str = answer.json()["model_version"]
        return version


@asynccontextmanager
async def rolling(
    folder: Path, server: VersionsStandIn | None = None, **rollout: float
) -> AsyncIterator[Rolling]:
    """A gateway and its server; the model store has the versions 1.0.0, 1.1.0 and 1.2.0."""
    store, config = folder / "model_store", ROOT / "config" / "geometric.yaml"
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        pack("geometric", config, store, version, is_versioned=True)
    stand_in = server or VersionsStandIn()
    settings = {"model_store": store, "look_s": 0.01, **rollout}
    async with running_gateway(
        folder, stand_in=stand_in, admin={"token": TOKEN}, rollout=settings
    ) as gateway:
        yield Rolling(gateway, stand_in)
