"""The settings of the remote engine."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from gateway.settings.addresses import ServiceUrl, is_here
from gateway.settings.section import Section


class PixazoSettings(Section):
    """Pixazo's hosted try-on, an engine elsewhere; with a key, photos are shown to it."""

    key: SecretStr | None = Field(
        default=None, description="subscription key; without one there is no such engine (secret)"
    )
    url: ServiceUrl = Field(
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
        if self.is_stand_in and not is_here(self.url):
            raise ValueError("is_stand_in, and url is not on this machine")
        return self
