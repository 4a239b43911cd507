"""One service outside: tried again where that is safe, read to a limit, behind its breaker."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from random import SystemRandom
from typing import Final, TypeVar

import httpx
import structlog

from gateway.adapters.breaker import Breaker
from gateway.errors.recommendations import OutsideFailed

T = TypeVar("T")

_DICE: Final = SystemRandom()
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class TryRules:
    """How often to try in all, how long to pause between, and how much to read."""

    tries: int
    first_s: float
    longest_s: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Call:
    """One request; it changes nothing at the service, so that it may be repeated."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes = b""
    params: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


PauseOf = Callable[[Reply], float | None]
"""How long a service asks to wait, in seconds, where it says so in its own way."""


class Outside:
    """Calls a service; every error is its own, and shows nothing of what it said."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        breaker: Breaker,
        failure: type[OutsideFailed],
        rules: TryRules,
        pause_of: PauseOf = lambda _: None,
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._failure = failure
        self._rules = rules
        self._pause_of = pause_of

    async def ask(self, call: Call, read: Callable[[bytes], T]) -> T:
        """What `read` makes of the body of an answer 200; it raises ValueError for nonsense.

        Raises the service's error, TimedOut, or Busy.
        """
        async with self._breaker.calling():
            reply = await self._tried(call)
            if reply.status != HTTPStatus.OK:
                raise self._failed("refused", status=reply.status)
            try:
                return read(reply.body)
            except (ValueError, RecursionError) as error:
                raise self._failed("not understood") from error

    async def _tried(self, call: Call) -> Reply:
        """The first answer that no retry would change; raises the service's error."""
        for tried in range(1, self._rules.tries + 1):
            reply = await self._once(call)
            if reply is not None and reply.status not in _PASSING:
                return reply
            pause_s = self._pause_s(reply, tried)
            if tried == self._rules.tries or pause_s > self._rules.longest_s:
                break
            await asyncio.sleep(pause_s)
        raise self._failed("unavailable", status=None if reply is None else reply.status)

    async def _once(self, call: Call) -> Reply | None:
        """One try; None where there was no answer. An answer over the limit is the last."""
        body = bytearray()
        try:
            async with self._client.stream(
                call.method,
                call.path,
                headers=dict(call.headers),
                content=call.content,
                params=call.params,
            ) as answer:
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > self._rules.max_bytes:
                        raise self._failed("too large", status=answer.status_code)
        except httpx.HTTPError:
            return None
        return Reply(answer.status_code, answer.headers, bytes(body))

    def _pause_s(self, reply: Reply | None, tried: int) -> float:
        asked_s = None
        if reply is not None:
            asked_s = retry_after_s(reply.headers.get("retry-after")) or self._pause_of(reply)
        doubled_s = self._rules.first_s * 2 ** (tried - 1)
        own_s = _DICE.uniform(doubled_s / 2, doubled_s)
        return own_s if asked_s is None else max(asked_s, own_s)

    def _failed(self, reason: str, status: int | None = None) -> OutsideFailed:
        log = structlog.get_logger(__name__)
        log.warning("a service failed", service=self._breaker.name, reason=reason, status=status)
        error = self._failure(details={"service": self._breaker.name})
        error.answered = status
        return error


def retry_after_s(header: str | None) -> float | None:
    """Seconds from now that a Retry-After header asks for; None for none, or nonsense."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header.strip()[:9])
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
