"""The settings of how often somebody may ask, and how much he may have under way."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from gateway.domain.forwarding import ForwardedBy, Proxies
from gateway.domain.limits import Rate, Rates
from gateway.settings.addresses import password_of
from gateway.settings.comma_lists import CommaList
from gateway.settings.section import Section


class ProxySettings(Section):
    """The proxies in front of the gateway: who asks is told by them alone."""

    networks: CommaList = Field(
        default=(),
        description="networks of trusted proxies, as `10.0.0.0/8, ::1/128`; empty: none is trusted",
    )
    header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for",
        description="the header that they write, x-forwarded-for or forwarded; no other is read",
    )

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Proxies.of(value, ForwardedBy.FORWARDED)
        return value

    @property
    def proxies(self) -> Proxies:
        """The proxies as the domain knows them."""
        return Proxies.of(self.networks, ForwardedBy(self.header))


class LimitSettings(Section):
    """How often somebody may ask; bursts may be twice as large."""

    url: SecretStr = Field(
        default=SecretStr(""),
        description="redis://… that the gateways share; empty: each counts for itself (secret)",
    )
    timeout_s: float = Field(
        default=0.25, gt=0, description="time Redis may take before the gateway counts for itself"
    )
    reset_s: float = Field(
        default=2.0, gt=0, description="pause before a Redis that was away is tried again"
    )
    max_buckets: int = Field(
        default=200_000, gt=0, description="users and addresses a gateway itself remembers"
    )
    inference_per_min: int = Field(
        default=10, gt=0, description="requests to models a minute per user"
    )
    read_per_min: int = Field(default=100, gt=0, description="reads a minute per user")
    write_per_min: int = Field(default=60, gt=0, description="other requests a minute per user")
    anonymous_per_min: int = Field(
        default=20, gt=0, description="requests a minute per address of visitors without account"
    )
    open_sessions: int = Field(
        default=32, gt=0, description="sessions of a user that have not ended at most"
    )

    @property
    def rates(self) -> Rates:
        """The rates as the domain knows them."""
        return Rates(
            inference=Rate(self.inference_per_min),
            read=Rate(self.read_per_min),
            write=Rate(self.write_per_min),
            anonymous=Rate(self.anonymous_per_min),
        )

    @property
    def password(self) -> SecretStr | None:
        """The password within the URL, so that the log can mask it."""
        return password_of(self.url)
