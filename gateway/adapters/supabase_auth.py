"""Supabase Auth by its REST endpoints: sign in, go on, sign out."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx

from gateway.adapters.breaker import Breaker
from gateway.domain.json_text import parse_object
from gateway.errors.kinds import GatewayError, MalformedBody
from gateway.errors.limits import RateLimited
from gateway.errors.tokens import SignInRefused, SupabaseFailed, TokenInvalid
from gateway.ports.identity import Grant

_TOKEN: Final = "/auth/v1/token"  # noqa: S105 - a path
_LOGOUT: Final = "/auth/v1/logout"
_MAX_BYTES: Final = 256 * 1024
_LONGEST_RETRY_S: Final = 3600
_REFUSED: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)
_OURS: Final = frozenset({"no_authorization", "bad_jwt", "invalid_api_key"})


class SupabaseAuth:
    """Implements the SignInServer port; the client knows the URL, the API key and the time-out."""

    def __init__(self, client: httpx.AsyncClient, breaker: Breaker) -> None:
        self._client = client
        self._breaker = breaker

    async def by_password(self, email: str, password: str) -> Grant:
        """Sign in; raises SignInRefused, RateLimited, SupabaseFailed."""
        told = {"email": email, "password": password}
        return await self._grant("password", told, SignInRefused("e-mail address or password"))

    async def by_refresh(self, refresh: str) -> Grant:
        """Go on; raises TokenInvalid, RateLimited, SupabaseFailed."""
        told = {"refresh_token": refresh}
        return await self._grant("refresh_token", told, TokenInvalid("refresh token refused"))

    async def sign_out(self, access: str, scope: str) -> None:
        """End this session (`local`) or all of the user's (`global`); raises SupabaseFailed.

        One that has ended already is fine.
        """
        headers = {"Authorization": f"Bearer {access}"}
        async with self._breaker.calling():
            answer = await self._post(_LOGOUT, {"scope": scope}, headers=headers)
            if answer.status_code not in {HTTPStatus.NO_CONTENT, HTTPStatus.OK, *_REFUSED}:
                raise SupabaseFailed

    async def _grant(self, kind: str, told: Mapping[str, str], refused: GatewayError) -> Grant:
        async with self._breaker.calling():
            answer = await self._post(_TOKEN, {"grant_type": kind}, json=dict(told))
            status = answer.status_code
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                raise _patience(answer)
            if status != HTTPStatus.OK and status not in _REFUSED | {422}:
                raise SupabaseFailed
            body = _body(answer)
            if status == HTTPStatus.OK:
                return _read(body)
            # A key of ours that it refuses is a fault of the deployment, not of who signs in.
            if ("error_code" not in body and "error" not in body) or body.get(
                "error_code"
            ) in _OURS:
                raise SupabaseFailed
        raise refused

    async def _post(self, path: str, query: Mapping[str, str], **told: Any) -> httpx.Response:  # noqa: ANN401
        try:
            return await self._client.post(path, params=dict(query), **told)
        except httpx.HTTPError as error:
            raise SupabaseFailed from error


def _body(answer: httpx.Response) -> dict[str, Any]:
    if len(answer.content) > _MAX_BYTES:
        raise SupabaseFailed
    try:
        return parse_object(answer.content)
    except MalformedBody as error:
        raise SupabaseFailed from error


def _read(body: Mapping[str, Any]) -> Grant:
    access, refresh = body.get("access_token"), body.get("refresh_token")
    if not isinstance(access, str) or not isinstance(refresh, str) or not access or not refresh:
        raise SupabaseFailed
    return Grant(access, refresh)


def _patience(answer: httpx.Response) -> RateLimited:
    told = answer.headers.get("retry-after", "")
    seconds = min(int(told), _LONGEST_RETRY_S) if told.isascii() and told.isdecimal() else 60
    headers = {"Retry-After": str(max(1, seconds))}
    return RateLimited("The sign-in service asks for patience.", headers=headers)
