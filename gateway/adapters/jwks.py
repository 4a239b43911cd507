"""The public keys of the sign-in service: fetched seldom, kept through an outage of it."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx
import jwt
import structlog

from gateway.adapters.breaker import Breaker
from gateway.domain.json_text import parse_object
from gateway.errors.kinds import GatewayError
from gateway.errors.tokens import SupabaseFailed
from gateway.ports.clock import Clock

_PATH: Final = "/auth/v1/.well-known/jwks.json"
_MAX_BYTES: Final = 256 * 1024
_MAX_KEYS: Final = 64
_LEAST_RSA_BITS: Final = 2048
_SHORTEST_S: Final = 60.0
_MAX_AGE: Final = re.compile(r"\bmax-age=(\d{1,8})\b", re.ASCII)
_ALGORITHMS: Final[Mapping[Any, str]] = {("EC", "P-256"): "ES256", ("RSA", None): "RS256"}


@dataclass(frozen=True, slots=True)
class JwksRules:
    """For how long keys are fresh that come without a word of it, and kept when no others come.

    After `pause_s` it is asked again: for keys that are due, and for one that nobody knows.
    """

    fresh_s: float = 600.0
    stale_s: float = 3600.0
    pause_s: float = 30.0


class JwksKeys:
    """The keys by their ids; each is for one algorithm, which the key itself says."""

    def __init__(
        self, client: httpx.AsyncClient, breaker: Breaker, clock: Clock, rules: JwksRules
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._clock = clock
        self._rules = rules
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._due_at = 0.0
        self._forced_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0

    async def key(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """The key with this id, for this algorithm; raises SupabaseFailed where none can be had.

        An unknown id makes it ask for the keys anew, once in a while.
        """
        await self._refreshed()
        found = self._keys.get(kid)
        if found is None and self._may_force():
            await self._tried()
            found = self._keys.get(kid)
        return found if found is not None and found.algorithm_name == algorithm else None

    async def close(self) -> None:
        """End what is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _refreshed(self) -> None:
        """Have keys: those at hand while they are fresh, or stale but being fetched anew."""
        now = self._clock.monotonic()
        if self._fetched_at is None or now >= self._fetched_at + self._rules.stale_s:
            await asyncio.shield(self._fetch())
        elif now >= self._due_at:
            self._due_at = now + self._rules.pause_s
            self._fetch().add_done_callback(_looked_at)

    def _may_force(self) -> bool:
        now = self._clock.monotonic()
        is_soon = self._forced_at is not None and now < self._forced_at + self._rules.pause_s
        if not is_soon:
            self._forced_at = now
        return not is_soon

    async def _tried(self) -> None:
        try:
            await asyncio.shield(self._fetch())
        except GatewayError:
            structlog.get_logger(__name__).warning("no new keys of the sign-in service")

    def _fetch(self) -> asyncio.Task[None]:
        """Fetch the keys, once for all who want them."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetched())
        return self._fetching

    async def _fetched(self) -> None:
        async with self._breaker.calling():
            keys, fresh_s = await self._asked()
        now = self._clock.monotonic()
        if keys.keys() != self._keys.keys():
            self.generation += 1
        self._keys, self._fetched_at, self._due_at = keys, now, now + fresh_s

    async def _asked(self) -> tuple[dict[str, jwt.PyJWK], float]:
        try:
            answer = await self._client.get(_PATH)
            if answer.status_code != HTTPStatus.OK or len(answer.content) > _MAX_BYTES:
                raise SupabaseFailed
            keys = _keys(parse_object(answer.content))
        except httpx.HTTPError as error:
            raise SupabaseFailed from error
        except GatewayError as error:
            raise SupabaseFailed from error
        found = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        told_s = self._rules.fresh_s if found is None else float(found[1])
        return keys, min(max(told_s, _SHORTEST_S), self._rules.stale_s)


def _keys(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """The keys that we can use: others, symmetric ones above all, are passed over."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise SupabaseFailed
    keys = (_key(one) for one in listed[:_MAX_KEYS])
    return {key.key_id: key for key in keys if key is not None and key.key_id}


def _key(told: Any) -> jwt.PyJWK | None:  # noqa: ANN401 - what somebody else's JSON holds
    if not isinstance(told, dict) or not isinstance(told.get("kid"), str):
        return None
    algorithm = _ALGORITHMS.get((told.get("kty"), told.get("crv")))
    is_odd = told.get("alg", algorithm) != algorithm or told.get("use", "sig") != "sig"
    if algorithm is None or is_odd or "d" in told:
        return None
    try:
        key = jwt.PyJWK(told, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key if getattr(key.key, "key_size", 0) >= _least_bits(algorithm) else None


def _least_bits(algorithm: str) -> int:
    return _LEAST_RSA_BITS if algorithm == "RS256" else 0


def _looked_at(task: asyncio.Task[None]) -> None:
    """Keep asyncio from reporting a failure that the keys at hand make up for."""
    if not task.cancelled() and task.exception() is not None:
        structlog.get_logger(__name__).warning("the sign-in service's keys are stale")
