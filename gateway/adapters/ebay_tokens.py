"""The application's access token at eBay: had by client credentials, kept until it is nearly over.

Whoever needs one while it is fetched waits for that one.
"""

import asyncio
from base64 import b64encode
from typing import Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.adapters.outside import Call, Outside
from gateway.ports.clock import Clock

_PATH: Final = "/identity/v1/oauth2/token"
_SCOPE: Final = "https://api.ebay.com/oauth/api_scope"


class _Granted(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    access_token: str = Field(min_length=1, max_length=10_000, pattern=r"^[\x21-\x7e]+$")
    expires_in: float = Field(gt=0, allow_inf_nan=False)


class EbayTokens:
    """Gives the token in force; `margin_s` before its end it is replaced."""

    def __init__(
        self, outside: Outside, client: tuple[str, SecretStr], clock: Clock, margin_s: float
    ) -> None:
        self._outside = outside
        self._client = client
        self._clock = clock
        self._margin_s = margin_s
        self._token: str | None = None
        self._until = 0.0
        self._fetching: asyncio.Task[str] | None = None

    async def token(self) -> str:
        """The token; raises EbayFailed, TimedOut or Busy where none can be had."""
        if self._token is not None and self._clock.monotonic() < self._until:
            return self._token
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    def drop(self, token: str) -> None:
        """Forget a token that the shop did not take."""
        if token == self._token:
            self._token = None

    async def close(self) -> None:
        """End what is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fetch(self) -> str:
        name, secret = self._client
        pair = b64encode(f"{name}:{secret.get_secret_value()}".encode()).decode()
        call = Call(
            "POST",
            _PATH,
            {
                "Authorization": f"Basic {pair}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            urlencode({"grant_type": "client_credentials", "scope": _SCOPE}).encode(),
        )
        asked = self._clock.monotonic()
        granted = await self._outside.ask(call, _Granted.model_validate_json)
        self._token = granted.access_token
        self._until = asked + granted.expires_in - self._margin_s
        return self._token

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # looked at, or asyncio reports one that nobody waited for
