"""A stand-in of Supabase Auth: its published endpoints, real keys, a few made-up people.

It answers as GoTrue does: password and refresh grants, rotation of refresh tokens with detection of
their reuse, sign-out by scope, the user, and the public keys. It keeps everything in memory, knows
passwords in plain text, and is for development and tests alone.
"""

import asyncio
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.domain.json_text import parse_object

PEOPLE: Final = {"ada@example.org": "ada's password", "admin@example.org": "admin's password"}
"""Who can sign in, with their passwords; whose address begins with `admin` is one."""

_NAMESPACE: Final = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_RSA: Final = 2048
_EXPONENT: Final = 65537


@dataclass(slots=True)
class _SignIn:
    """One sign-in: its refresh token, the one before, and whether it has ended."""

    email: str
    session_id: str
    refresh: str
    before: str = ""
    rotated_at: float = 0.0
    has_ended: bool = False


@dataclass(slots=True)
class SupabaseStandIn:
    """What it knows, and what a test may change: the issuer, the times, whether it is away."""

    issuer: str = "http://127.0.0.1:9999/auth/v1"
    algorithm: str = "ES256"
    token_s: int = 3600
    reuse_s: float = 10.0
    people: Mapping[str, str] = field(default_factory=lambda: dict(PEOPLE))
    now: Callable[[], float] = time.time
    is_away: bool = False
    is_busy: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refreshing: asyncio.Event = field(default_factory=asyncio.Event)
    kid: str = ""
    _keys: dict[str, Any] = field(default_factory=dict)
    _sign_ins: dict[str, _SignIn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Have a key."""
        self.turn_keys()

    def turn_keys(self, *, keeping: bool = True) -> None:
        """Sign with a new key from now on, with the old ones still told or not."""
        if not keeping:
            self._keys.clear()
        self.kid = str(uuid.uuid4())
        self._keys[self.kid] = (
            ec.generate_private_key(ec.SECP256R1())
            if self.algorithm == "ES256"
            else rsa.generate_private_key(_EXPONENT, _RSA)
        )

    def routes(self) -> list[Route]:
        """Its endpoints."""
        return [
            Route("/auth/v1/token", self._token, methods=["POST"]),
            Route("/auth/v1/logout", self._logout, methods=["POST"]),
            Route("/auth/v1/user", self._user, methods=["GET"]),
            Route("/auth/v1/.well-known/jwks.json", self._jwks, methods=["GET"]),
            Route("/auth/v1/health", self._health, methods=["GET"]),
        ]

    def access_token(self, email: str, session_id: str, /, **changes: object) -> str:
        """A signed access token, with the claims of GoTrue's token schema."""
        now = int(self.now())
        claims = {
            "iss": self.issuer,
            "aud": "authenticated",
            "exp": now + self.token_s,
            "iat": now,
            "sub": str(uuid.uuid5(_NAMESPACE, email)),
            "email": email,
            "phone": "",
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": session_id,
            "is_anonymous": False,
            "app_metadata": {"provider": "email", "role": email.partition("@")[0]},
            "user_metadata": dict(self.metadata),
        }
        told = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(told, self._keys[self.kid], self.algorithm, headers={"kid": self.kid})

    async def _token(self, request: Request) -> Response:
        grant = request.query_params.get("grant_type", "")
        self.calls.append(grant)
        if grant == "refresh_token":
            self.refreshing.set()
        if self.is_away:
            return Response(status_code=503)
        if self.is_busy:
            return _error(429, "over_request_rate_limit", "Request rate limit reached")
        body = await _body(request)
        if grant == "password":
            return self._by_password(body)
        if grant == "refresh_token":
            return self._by_refresh(body)
        return _error(400, "validation_failed", "unsupported_grant_type")

    def _by_password(self, body: Mapping[str, Any]) -> Response:
        email, password = str(body.get("email")), body.get("password")
        if not password or self.people.get(email) != password:
            return _error(400, "invalid_credentials", "Invalid login credentials")
        sign_in = _SignIn(email, str(uuid.uuid4()), _refresh_token())
        self._sign_ins[sign_in.session_id] = sign_in
        return self._granted(sign_in)

    def _by_refresh(self, body: Mapping[str, Any]) -> Response:
        sent = body.get("refresh_token")
        for sign_in in self._sign_ins.values():
            if sent not in {sign_in.refresh, sign_in.before} or not sent:
                continue
            if sign_in.has_ended:
                return _error(400, "session_not_found", "Invalid Refresh Token: Session Not Found")
            if sent == sign_in.refresh:
                sign_in.before, sign_in.refresh = sign_in.refresh, _refresh_token()
                sign_in.rotated_at = self.now()
            elif self.now() > sign_in.rotated_at + self.reuse_s:
                sign_in.has_ended = True
                message = "Invalid Refresh Token: Already Used"
                return _error(400, "refresh_token_already_used", message)
            return self._granted(sign_in)
        message = "Invalid Refresh Token: Refresh Token Not Found"
        return _error(400, "refresh_token_not_found", message)

    def _granted(self, sign_in: _SignIn) -> Response:
        return _json(
            {
                "access_token": self.access_token(sign_in.email, sign_in.session_id),
                "token_type": "bearer",
                "expires_in": self.token_s,
                "expires_at": int(self.now()) + self.token_s,
                "refresh_token": sign_in.refresh,
                "user": {"id": str(uuid.uuid5(_NAMESPACE, sign_in.email)), "email": sign_in.email},
            }
        )

    async def _logout(self, request: Request) -> Response:
        scope = request.query_params.get("scope", "global")
        self.calls.append(f"logout {scope}")
        if self.is_away:
            return Response(status_code=503)
        mine = self._signed_in(request)
        if mine is None:
            return _error(403, "session_not_found", "Session from session_id claim does not exist")
        for other in self._sign_ins.values():
            is_mine, is_his = other is mine, other.email == mine.email
            other.has_ended |= {"local": is_mine, "global": is_his}.get(
                scope, is_his and not is_mine
            )
        return Response(status_code=204)

    async def _user(self, request: Request) -> Response:
        mine = self._signed_in(request)
        if mine is None:
            return _error(403, "bad_jwt", "invalid JWT")
        return _json({"id": str(uuid.uuid5(_NAMESPACE, mine.email)), "email": mine.email})

    async def _jwks(self, _: Request) -> Response:
        self.calls.append("jwks")
        if self.is_away:
            return Response(status_code=503)
        keys = [_public(kid, key) for kid, key in self._keys.items()]
        return _json({"keys": keys}, {"Cache-Control": "public, max-age=600"})

    async def _health(self, _: Request) -> Response:
        return _json({"name": "GoTrue", "description": "a stand-in of Supabase Auth"})

    def _signed_in(self, request: Request) -> _SignIn | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys[str(kid)].public_key()
            claims = parse_object(jwt.PyJWS().decode(token, key, [self.algorithm]))
        except (jwt.PyJWTError, KeyError):
            return None
        if float(str(claims["exp"])) <= self.now():
            return None
        found = self._sign_ins.get(str(claims["session_id"]))
        return None if found is None or found.has_ended else found


def _refresh_token() -> str:
    return secrets.token_urlsafe(9)


def _public(kid: str, key: Any) -> dict[str, Any]:  # noqa: ANN401 - of either algorithm
    is_curve = isinstance(key, ec.EllipticCurvePrivateKey)
    kind = jwt.algorithms.ECAlgorithm if is_curve else jwt.algorithms.RSAAlgorithm
    told: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    about = {"kid": kid, "alg": "ES256" if is_curve else "RS256", "use": "sig"}
    return told | about | {"key_ops": ["verify"]}


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _json(body: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), headers=dict(headers or {}), media_type="application/json")


def _error(status: int, code: str, message: str) -> Response:
    body = orjson.dumps({"code": status, "error_code": code, "msg": message})
    return Response(body, status, media_type="application/json")
