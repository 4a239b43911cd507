"""Access tokens, checked with PyJWT: the algorithm is the key's, and the configuration's."""

from collections import OrderedDict
from hashlib import sha256
from typing import Any, Final

import jwt

from gateway.adapters.jwks import JwksKeys
from gateway.domain.access_tokens import (
    MAX_TOKEN_CHARS,
    SYMMETRIC,
    TokenRules,
    Verified,
    checked_claims,
    checked_header,
)
from gateway.domain.json_text import parse_object
from gateway.errors.kinds import MalformedBody
from gateway.errors.tokens import TokenInvalid
from gateway.ports.clock import Clock

_MOST_KNOWN: Final = 10_000


class JwtAccessTokens:
    """Implements the AccessTokens port.

    A token that was found to be ours is remembered until it expires, or until the keys change.
    `shared_secret` is what HS256 is checked with, and what nothing else is.
    """

    def __init__(
        self, rules: TokenRules, keys: JwksKeys, shared_secret: str | None, clock: Clock
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._shared_secret = shared_secret
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Verified, int]] = OrderedDict()
        self._jws = jwt.PyJWS()

    async def verified(self, token: str) -> Verified:
        """What the token says; raises TokenInvalid, TokenExpired, SupabaseFailed."""
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenInvalid("longer than any of ours")
        if not token.isascii():
            raise TokenInvalid("not a token")
        name, now = sha256(token.encode()).digest(), self._clock.now()
        known = self._known.get(name)
        if known is not None and known[1] == self._keys.generation and now < known[0].expires_at:
            self._known.move_to_end(name)
            return known[0]
        claims = await self._signed(token)
        verified = checked_claims(claims, self._rules, self._clock.now())
        self._known[name] = verified, self._keys.generation
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return verified

    async def _signed(self, token: str) -> dict[str, Any]:
        """The claims of a token that bears a good signature."""
        try:
            header = self._jws.get_unverified_header(token)
            algorithm, kid = checked_header(header, self._rules)
            key = await self._key(algorithm, kid)
            if key is None:
                raise TokenInvalid("key not known")
            payload = self._jws.decode(token, key, algorithms=[algorithm])
            return parse_object(payload)
        except jwt.InvalidSignatureError:
            raise TokenInvalid("signature") from None
        except (jwt.PyJWTError, MalformedBody, ValueError, RecursionError):
            raise TokenInvalid("not a token") from None

    async def _key(self, algorithm: str, kid: str) -> Any:  # noqa: ANN401 - a key of PyJWT's
        if algorithm in SYMMETRIC:
            return self._shared_secret
        found = await self._keys.key(kid, algorithm)
        return None if found is None else found.key
