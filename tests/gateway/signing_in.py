"""A gateway behind which people can sign in: at a stand-in of Supabase Auth, with real keys."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.stand_ins.supabase import SupabaseStandIn
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.gateway.torchserve_stand_in import serve

ADA = {"email": "ada@example.org", "password": "ada's password"}
ADMIN = {"email": "admin@example.org", "password": "admin's password"}
SESSION = "5f0c7a52-5d39-4a8c-9d8e-2c1f0b9a7e11"
ORIGIN = "https://gateway"


@dataclass
class Place:
    """The gateway, its sign-in service, and browsers."""

    gateway: Gateway
    supabase: SupabaseStandIn
    folder: Path

    def browser(self, other: Gateway | None = None, **headers: str) -> httpx.AsyncClient:
        """A browser on a page of ours, or of somebody else's where its headers say so."""
        sent = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "User-Agent": "a browser"}
        transport = (other or self.gateway).client._transport
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=sent | told)

    async def signed_in(self, account: dict[str, str] = ADA) -> httpx.AsyncClient:
        """A browser in which somebody has signed in; it sends its CSRF token with everything."""
        browser = self.browser()
        answer = await browser.post("/api/v1/auth/login", json=account)
        assert answer.status_code == 200, answer.text
        take_csrf(browser)
        return browser

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Gateway]:
        """Another gateway, on the same database and before the same sign-in service."""
        folder = self.folder / "other"
        folder.mkdir()
        told = self.gateway.resources.settings
        database = {"url": told.database.url.get_secret_value()}
        async with running_gateway(
            folder, database=database, supabase=told.supabase.model_dump()
        ) as other:
            yield other

    def bearer(self, **claims: Any) -> dict[str, str]:  # noqa: ANN401
        """The header of a server that signed in by itself, with other claims where named."""
        email = str(claims.pop("email", ADA["email"]))
        token = self.supabase.access_token(email, claims.pop("session_id", SESSION), **claims)
        return {"Authorization": f"Bearer {token}"}

    def audit(self) -> list[tuple[str, str, str, str]]:
        """What was written down: event, reason, address, user agent."""
        with sqlite3.connect(self.folder / "sessions.sqlite") as database:
            query = "SELECT event, reason, address, user_agent FROM audit_events ORDER BY at, rowid"
            return list(database.execute(query))


def take_csrf(browser: httpx.AsyncClient) -> None:
    """Send the CSRF token as a script of ours does: read from its cookie."""
    browser.headers["X-CSRF-Token"] = browser.cookies["__Host-vton_csrf"]


@asynccontextmanager
async def signing_in(folder: Path, **sections: Any) -> AsyncIterator[Place]:  # noqa: ANN401
    """A gateway with a sign-in service."""
    supabase = SupabaseStandIn()
    async with serve(Starlette(routes=supabase.routes())) as url:
        supabase.issuer = f"{url}/auth/v1"
        told = {"url": url, "anon_key": "public-anon-key", "timeout_s": HANGS_S}
        told |= sections.pop("supabase", {})
        async with running_gateway(folder, supabase=told, **sections) as gateway:
            supabase.now = gateway.clock.now
            yield Place(gateway, supabase, folder)
