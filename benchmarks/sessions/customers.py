"""Users who have sessions made and collect them; each insists until it is answered.

Whoever hears nothing, or that something is away, says the same again, with the same key, to the
next gateway.
"""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx
from PIL import Image

PATH: Final = "/api/v1/tryon/sessions"
_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.2
_SEVERAL: Final = 500


@dataclass
class Ledger:
    """What users were told."""

    accepted: dict[str, str] = field(default_factory=dict)
    """Sessions, and whose they are."""

    repeated: int = 0
    retried: int = 0
    refused: list[str] = field(default_factory=list)
    pictures: int = 0
    uncollected: list[str] = field(default_factory=list)


class Customer:
    """One user, by a token of his own, at any of the gateways."""

    def __init__(self, number: int, urls: Sequence[str], ledger: Ledger) -> None:
        self.token: Final = f"{number:02d}".ljust(32, "x")
        self._urls = list(urls)
        self._ledger = ledger
        self._chance = Random(number)
        self._files = {
            "user_image": ("p.jpg", photo(number), "image/jpeg"),
            "garment_image": ("g.jpg", photo(1000 + number), "image/jpeg"),
        }

    async def order(self, client: httpx.AsyncClient, number: int) -> None:
        """Have a session made, once, however often it takes to say so."""
        headers = self._headers | {"Idempotency-Key": f"order-{number}"}
        fields = {"seed": str(number)}

        async def ask(url: str) -> httpx.Response:
            return await client.post(
                f"{url}{PATH}", headers=headers, files=self._files, data=fields
            )

        answer = await self._insisting(ask)
        if answer is None or not answer.is_success:
            words = "no answer" if answer is None else f"{answer.status_code} {answer.text[:200]}"
            self._ledger.refused.append(words)
            return
        self._ledger.accepted[answer.json()["session_id"]] = self.token
        self._ledger.repeated += answer.status_code == httpx.codes.OK

    async def collect(self, client: httpx.AsyncClient, session_id: str) -> None:
        """Fetch every picture of a session that is completed."""

        async def look(url: str) -> httpx.Response:
            return await client.get(f"{url}{PATH}/{session_id}", headers=self._headers)

        answer = await self._insisting(look)
        told: dict[str, Any] = answer.json() if answer is not None and answer.is_success else {}
        for item in told.get("items", ()):
            for path in item["result_urls"]:
                await self._fetch(client, session_id, path)

    async def _fetch(self, client: httpx.AsyncClient, session_id: str, path: str) -> None:
        async def fetch(url: str) -> httpx.Response:
            return await client.get(f"{url}{path}")

        answer = await self._insisting(fetch)
        if answer is not None and answer.is_success and answer.content[:2] == b"\xff\xd8":
            self._ledger.pictures += 1
        else:
            self._ledger.uncollected.append(session_id)

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-User-Token": self.token}

    async def _insisting(self, ask: Any) -> httpx.Response | None:  # noqa: ANN401
        """The first answer that is one; None after a long time without any."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE_S
        answer: httpx.Response | None = None
        while loop.time() < end:
            try:
                answer = await ask(self._chance.choice(self._urls))
            except httpx.TransportError:
                answer = None
            busy = answer is not None and answer.status_code == httpx.codes.TOO_MANY_REQUESTS
            if answer is not None and answer.status_code < _SEVERAL and not busy:
                return answer
            self._ledger.retried += 1
            await asyncio.sleep(_PAUSE_S * (1 + self._chance.random()))
        return answer


def photo(seed: int) -> bytes:
    """A small JPEG that no other seed gives."""
    noise = Random(seed).randbytes(3 * 16 * 20)
    picture = Image.frombytes("RGB", (16, 20), noise).resize((96, 120))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()
