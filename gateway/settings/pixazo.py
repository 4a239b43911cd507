"""The settings of the remote engine."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _over_tls(url: str) -> str:
    """The key goes over an encrypted line, or stays on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("must begin with https://")
    if parts.username is not None or parts.query or parts.fragment or not parts.hostname:
        raise ValueError("must be a plain address")
    return url.rstrip("/")


class PixazoSettings(BaseModel):
    """Pixazo's hosted try-on, an engine elsewhere; with a key, photos are shown to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: SecretStr | None = Field(
        default=None, description="subscription key; without one there is no such engine (secret)"
    )
    url: Annotated[str, AfterValidator(_over_tls)] = Field(
        default="https://gateway.pixazo.ai", description="address of the service"
    )
    path: str = Field(
        default="/virtual-tryon/v1/r-vton",
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
        description="its operation that dresses a person",
    )
    is_stand_in: bool = Field(
        default=False, description="it is the stand-in, on this machine; results say so"
    )
    timeout_s: float = Field(default=150.0, gt=0, description="time for a try-on in all")
    call_s: float = Field(default=30.0, gt=0, description="time for one call")
    poll_s: float = Field(
        default=3.0, gt=0, description="pause before it is asked again how far it is"
    )
    link_ttl_s: int = Field(
        default=600, gt=0, description="how long the links to the photos that it is sent work"
    )
    max_result_bytes: int = Field(
        default=16 << 20, gt=0, description="larger pictures are not fetched"
    )
    max_concurrent: int = Field(default=8, ge=1, description="try-ons under way at once")
    failures: int = Field(default=5, ge=1, description="failures in a row that stop the calls")
    reset_s: float = Field(default=30.0, gt=0, description="pause before one call tries again")

    @property
    def is_on(self) -> bool:
        """Whether there is such an engine."""
        return self.key is not None and bool(self.key.get_secret_value())

    @model_validator(mode="after")
    def _is_here_if_it_stands_in(self) -> Self:
        if self.is_stand_in and urlsplit(self.url).hostname not in _LOOPBACK:
            raise ValueError("is_stand_in, and url is not on this machine")
        return self
