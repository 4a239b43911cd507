"""The settings of what gateways tell each other, and of what they tell the world."""

from typing import Final

from pydantic import Field, SecretStr

from gateway.domain.durations import DAY_S
from gateway.settings.addresses import password_of
from gateway.settings.section import Section

_MARGIN_S: Final = 10.0


class NoticesSettings(Section):
    """How gateways wake each other."""

    url: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "redis://…, postgresql://… or memory:; empty: the database if it is Postgres (secret)"
        ),
    )

    def place(self, database_url: str) -> str:
        """The URL in force, beside this database."""
        url = self.url.get_secret_value()
        if url:
            return url
        return database_url if database_url.startswith("postgres") else "memory:"

    @property
    def password(self) -> SecretStr | None:
        """The password within the URL, so that the log can mask it."""
        return password_of(self.url)


class WebhookSettings(Section):
    """Messages to the endpoints of whoever wants to be told."""

    is_running: bool = Field(
        default=True, description="deliver messages here; off: leave it to other gateways"
    )
    allow_private: bool = Field(
        default=False, description="deliver to private, loopback and link-local addresses, too"
    )
    timeout_s: float = Field(default=15.0, gt=0, description="time for one try")
    max_answer_bytes: int = Field(
        default=65_536, ge=0, description="answers are read so far, and refused beyond"
    )
    at_once: int = Field(default=16, ge=1, description="messages under way at once here")
    per_owner: int = Field(default=8, ge=1, description="of which for one user at most")
    per_endpoint: int = Field(default=2, ge=1, description="of which to one endpoint at most")
    poll_s: float = Field(default=2.0, gt=0, description="longest time between two looks")
    max_endpoints: int = Field(default=16, ge=1, description="endpoints of one user at most")
    rotation_s: int = Field(
        default=DAY_S, ge=0, description="how long a replaced secret signs beside its successor"
    )
    kept_s: int = Field(
        default=7 * DAY_S, gt=0, description="how long an ended delivery can be looked at"
    )

    @property
    def lease_s(self) -> float:
        """After how long a message is taken to be lost that somebody has taken."""
        return 2 * self.timeout_s + _MARGIN_S
