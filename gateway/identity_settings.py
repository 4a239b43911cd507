"""The settings of who is let in."""

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IdentitySettings(_Section):
    """Who is let in."""

    anonymous: bool = Field(
        default=True, description="let visitors in who show no token, or a random one of their own"
    )
