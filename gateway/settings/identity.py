"""The settings of who is let in, and of the sign-in service."""

from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from gateway.domain.access_tokens import ASYMMETRIC, SYMMETRIC, TokenRules
from gateway.domain.durations import DAY_S
from gateway.settings.comma_lists import CommaList
from gateway.settings.section import Section

_MIN_SECRET_CHARS: Final = 32


class IdentitySettings(Section):
    """Who is let in."""

    anonymous: bool = Field(
        default=True, description="let visitors in who show no token, or a random one of their own"
    )
    keys_per_owner: int = Field(default=20, ge=1, description="live API keys of one owner at most")
    recheck_s: float = Field(
        default=1.0,
        ge=0,
        description="how long a revoked key or an ended sign-in may pass in another gateway",
    )


class SupabaseSettings(Section):
    """Supabase Auth, by which people sign in."""

    url: str = Field(default="", description="of the project; empty: nobody signs in")
    anon_key: SecretStr | None = Field(
        default=None, description="the project's public API key (secret)"
    )
    algorithms: CommaList = Field(
        default=("ES256", "RS256"), description="of access tokens: these, or HS256 alone"
    )
    jwt_secret: SecretStr | None = Field(
        default=None, description="the project's legacy JWT secret, for HS256 (secret)"
    )
    issuer: str = Field(default="", description="of access tokens; empty: url/auth/v1")
    audience: str = Field(default="authenticated", description="of access tokens")
    admin_role: str = Field(
        default="admin", description="app_metadata.role of administrators; empty: there are none"
    )
    leeway_s: float = Field(default=5.0, ge=0, le=60, description="clocks may differ by so much")
    timeout_s: float = Field(default=5.0, gt=0, description="time for a call")
    keys_stale_s: float = Field(
        default=3600.0, gt=0, description="how long its keys are used while no others come"
    )
    secure_cookies: bool = Field(
        default=True, description="cookies for HTTPS alone; browsers make an exception of localhost"
    )
    cookie_s: int = Field(
        default=30 * DAY_S, gt=0, description="how long a browser keeps the cookies"
    )

    @property
    def is_on(self) -> bool:
        """Whether people can sign in."""
        return bool(self.url)

    @property
    def rules(self) -> TokenRules:
        """What access tokens must say."""
        issuer = self.issuer or f"{self.url.rstrip('/')}/auth/v1"
        algorithms = frozenset(self.algorithms)
        return TokenRules(algorithms, issuer, self.audience, self.leeway_s, self.admin_role)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = set(self.algorithms)
        if not names or not (names <= ASYMMETRIC or names == SYMMETRIC):
            message = "algorithms must be ES256 and RS256, one of them, or HS256 alone"
            raise ValueError(message)
        secret = "" if self.jwt_secret is None else self.jwt_secret.get_secret_value()
        if names == SYMMETRIC and len(secret) < _MIN_SECRET_CHARS:
            message = f"HS256 needs a jwt_secret of at least {_MIN_SECRET_CHARS} characters"
            raise ValueError(message)
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            message = "url must be an http or https URL"
            raise ValueError(message)
        return self
