"""Bodies and answers of sign-in and of API keys."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr

from gateway.domain.api_keys import ApiKey
from gateway.domain.durations import DAY_S
from gateway.domain.identity import Caller, KeyLimits, Kind, Role, Scope
from gateway.schemas.requests import Strict
from gateway.services.api_keys import KeyWish
from gateway.services.sign_in import SignedIn

GrantedScope = Literal["read", "tryon", "live", "recommendations", "webhooks", "catalogue"]
_USUAL: tuple[GrantedScope, ...] = ("read", "tryon", "live", "recommendations", "webhooks")


class LoginBody(Strict):
    """An account of the sign-in service."""

    email: str = Field(min_length=3, max_length=320)
    password: SecretStr = Field(min_length=1, max_length=1024)


class LogoutBody(Strict):
    """How far to sign out."""

    everywhere: bool = Field(default=False, description="end all of the user's sign-ins")


class SignInResponse(Strict):
    """A sign-in; its tokens are in cookies."""

    owner: str = Field(description="the name under which what is made is kept")
    roles: list[Role]
    expires_at: datetime = Field(description="refresh before")

    @classmethod
    def of(cls, signed_in: SignedIn) -> Self:
        """As the page is told."""
        caller = signed_in.token.caller(by_cookie=True)
        return cls(
            owner=caller.owner,
            roles=sorted(caller.roles),
            expires_at=_at(signed_in.token.expires_at),
        )


class MeResponse(Strict):
    """Who asks."""

    kind: Kind
    owner: str | None = Field(description="the name of what is his; none: nothing is")
    roles: list[Role]
    scopes: list[Scope]
    key_id: str | None = Field(description="of the API key that was shown")
    can_sign_in: bool = Field(description="whether this deployment has a sign-in")
    visitors: bool = Field(description="whether it lets in who shows nothing")

    @classmethod
    def of(cls, caller: Caller, *, can_sign_in: bool, visitors: bool) -> Self:
        """As he is told."""
        return cls(
            kind=caller.kind,
            owner=caller.owner if caller.is_known else None,
            roles=sorted(caller.roles),
            scopes=sorted(caller.scopes),
            key_id=caller.key_id,
            can_sign_in=can_sign_in,
            visitors=visitors,
        )


class KeyLimitsBody(Strict):
    """What a key is limited to, beyond what its owner is."""

    requests_per_min: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    gpu_s_per_day: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        default=None, description="GPU seconds of a calendar day (UTC)"
    )
    concurrent_sessions: Annotated[int, Field(ge=1, le=10_000)] | None = None


class KeyBody(Strict):
    """A key to be made."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f<>]+$")
    scopes: list[GrantedScope] = Field(default=[*_USUAL], min_length=1, max_length=8)
    expires_in_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    limits: KeyLimitsBody = KeyLimitsBody()
    owner: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] | None = Field(
        default=None, description="administrators only: for whom; none: the key is its own owner"
    )

    @property
    def client(self) -> str:
        """The owner that an administrator names; empty: the key itself."""
        return "" if self.owner is None else f"client:{self.owner}"

    def wish(self, owner: str) -> KeyWish:
        """What is to be made, and whose it will be."""
        days = self.expires_in_days
        return KeyWish(
            owner=owner,
            name=self.name,
            scopes=frozenset(Scope(name) for name in self.scopes),
            expires_in_s=None if days is None else days * DAY_S,
            limits=KeyLimits(**self.limits.model_dump()),
        )


class KeyResponse(Strict):
    """A key, by what can be shown of it."""

    key_id: str
    prefix: str = Field(description="how the key begins")
    name: str
    owner: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="within a minute or so")
    limits: KeyLimitsBody
    gpu_s_today: float = Field(description="GPU seconds that it has cost today (UTC)")
    gpu_s_left: float | None = Field(description="those left today; none: there is no budget")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """As its owner is told."""
        return cls.model_validate(_told(key))


class NewKeyResponse(KeyResponse):
    """A key that was just made."""

    key: str = Field(description="the key itself: it is shown this once")

    @classmethod
    def made(cls, key: ApiKey, text: str) -> Self:
        """As its owner is told, once."""
        return cls.model_validate({**_told(key), "key": text})


class KeysResponse(Strict):
    """Keys, the newest first."""

    keys: list[KeyResponse]


def _told(key: ApiKey) -> dict[str, object]:
    limits, per_day = key.limits, key.limits.gpu_s_per_day
    return {
        "key_id": key.key_id,
        "prefix": key.prefix,
        "name": key.name,
        "owner": key.owner,
        "scopes": sorted(key.scopes),
        "created_at": _at(key.created_at),
        "expires_at": _maybe(key.expires_at),
        "revoked_at": _maybe(key.revoked_at),
        "last_used_at": _maybe(key.last_used_at),
        "limits": KeyLimitsBody(
            requests_per_min=limits.requests_per_min,
            gpu_s_per_day=limits.gpu_s_per_day,
            concurrent_sessions=limits.concurrent_sessions,
        ),
        "gpu_s_today": round(key.gpu_s_today, 3),
        "gpu_s_left": None if per_day is None else round(max(0.0, per_day - key.gpu_s_today), 3),
    }


def _at(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)


def _maybe(time_s: float | None) -> datetime | None:
    return None if time_s is None else _at(time_s)
