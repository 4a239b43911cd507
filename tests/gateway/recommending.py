"""A gateway that recommends, in front of the product's own stand-ins on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.stand_ins.ebay import CLIENT_ID, CLIENT_SECRET, EbayStandIn
from gateway.stand_ins.gemini import KEY, GeminiStandIn
from gateway.stand_ins.server import stand_in_app
from tests.gateway import pictures
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.gateway.torchserve_stand_in import serve

QUICK = {"retry_first_s": 0.001, "retry_longest_s": 1.0, "timeout_s": HANGS_S}


@dataclass
class Outsides:
    """Both stand-ins, and a gateway before them."""

    gateway: Gateway
    gemini: GeminiStandIn
    ebay: EbayStandIn

    async def ask(
        self,
        wardrobe: int = 0,
        generated: int = 0,
        seed: int = 1,
        headers: dict[str, str] | None = None,
        **fields: object,
    ) -> httpx.Response:
        """Ask as a form, with so many pictures; another seed is another person."""
        files: list[tuple[str, Any]] = [("user_image", _photo(seed))]
        files += [("wardrobe_images", _photo(100 + at)) for at in range(wardrobe)]
        files += [("generated_images", _photo(200 + at)) for at in range(generated)]
        return await self.gateway.client.post(
            "/api/v1/recommendations",
            files=files,
            data={name: str(value) for name, value in fields.items()},
            headers=headers,
        )


def _photo(seed: int) -> tuple[str, bytes, str]:
    return ("photo.jpg", pictures.jpeg((96, 120), seed=seed), "image/jpeg")


def configured(url: str, **sections: Any) -> dict[str, Any]:  # noqa: ANN401
    """The settings that lead to stand-ins at `url`; sections add to gemini's and ebay's own."""
    gemini = {"url": url, "api_key": KEY, **QUICK, **sections.pop("gemini", {})}
    shop = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    ebay = {"url": url, **shop, **QUICK, **sections.pop("ebay", {})}
    return {"are_stand_ins": True, "gemini": gemini, "ebay": ebay, **sections}


@asynccontextmanager
async def recommending(folder: Path, **sections: Any) -> AsyncIterator[Outsides]:  # noqa: ANN401
    """Both stand-ins, and a gateway that asks them."""
    gemini, ebay = GeminiStandIn(), EbayStandIn()
    async with (
        serve(stand_in_app(gemini, ebay)) as url,
        running_gateway(folder, recommendations=configured(url, **sections)) as gateway,
    ):
        yield Outsides(gateway, gemini, ebay)
        for faults in (gemini.faults, ebay.faults, ebay.token_faults):
            faults.released.set()


@pytest.fixture
async def outsides(tmp_path: Path) -> AsyncIterator[Outsides]:
    """Both stand-ins, well, and a gateway that has asked them nothing."""
    async with recommending(tmp_path) as opened:
        yield opened
