"""Calls to addresses that somebody outside has named: the one client that may make them.

A name is looked up, every address it has is checked, and the connection goes to an address that was
checked, not to the name: a name server that answers differently the second time gains nothing. The
certificate is checked against the name as ever. No redirect is followed, no proxy is used, an
answer is read to a limit and never unpacked, and a call takes no longer than it may.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpcore
import httpx

from gateway.adapters.lookups import Lookups
from gateway.domain.addresses import is_public
from gateway.domain.webhooks import Answer, Unreachable

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a name, as text; raises OSError."""

_CONNECT_S: Final = 5.0
_AT_ONCE: Final = 32
_AS_IT_IS: Final = "identity"


class Outgoing:
    """Implements the OutgoingCalls port.

    A call takes `timeout_s` in all. An answer of more than `max_bytes`, or packed, is none.
    """

    def __init__(
        self,
        timeout_s: float,
        max_bytes: int,
        *,
        allow_private: bool = False,
        lookup: Lookup | None = None,
        is_allowed: Callable[[str], bool] = is_public,
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._lookups = Lookups(_AT_ONCE)
        backend = _CheckedBackend(
            lookup or self._lookups, (lambda _: True) if allow_private else is_allowed
        )
        self._client = httpx.AsyncClient(
            transport=_CheckedTransport(backend),
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "vton-serve", "Accept-Encoding": _AS_IT_IS},
        )

    async def call(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        """Make one call; raises Unreachable, which tells nothing of the address."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._call(method, url, headers, content)
        except TimeoutError:
            raise Unreachable("no answer in time") from None
        except httpx.TimeoutException as error:
            raise Unreachable("no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Unreachable(_reason(error)) from error

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        body = bytearray()
        async with self._client.stream(
            method, url, headers=dict(headers), content=content
        ) as response:
            if response.headers.get("Content-Encoding", _AS_IT_IS).strip().lower() != _AS_IT_IS:
                raise Unreachable("the answer is packed")  # some bytes may unpack to gigabytes
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._max_bytes:
                    raise Unreachable("the answer is too large")
        return Answer(response.status_code, dict(response.headers), bytes(body))

    async def close(self) -> None:
        """Close every connection, and look no name up any more."""
        self._lookups.close()
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class _Refused(httpcore.ConnectError):
    """The name has an address that must not be called."""


class _CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, whose connections are made by a backend of ours."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=_AT_ONCE,
            max_keepalive_connections=0,  # the next call may be in a day
            network_backend=backend,
        )


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Looks names up, checks every address, and connects to one that was checked."""

    def __init__(self, lookup: Lookup, is_allowed: Callable[[str], bool]) -> None:
        self._lookup = lookup
        self._is_allowed = is_allowed
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers, if none of them is forbidden."""
        try:
            addresses = await self._lookup(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name is unknown") from error
        if not addresses or not all(map(self._is_allowed, addresses)):
            raise _Refused
        failed: Exception = httpcore.ConnectError()
        for address in addresses:
            try:
                return await self._plain.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


def _reason(error: BaseException) -> str:
    if isinstance(error.__cause__, _Refused):
        return "the address is not public"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return "the connection broke"
