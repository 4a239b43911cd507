"""The settings of sessions: where they are kept, and how they are run."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from gateway.domain.durations import DAY_S
from gateway.domain.sessions_queue import LONGEST_AHEAD_S
from gateway.settings.addresses import password_of
from gateway.settings.section import Section

_FILE: Final = "sessions.sqlite"


class DatabaseSettings(Section):
    """Where sessions are kept."""

    url: SecretStr = Field(
        default=SecretStr(""),
        description="sqlite:///file, or postgresql://…; empty: a file beside the pictures (secret)",
    )
    pool_size: int = Field(default=8, ge=2, description="connections at most")
    timeout_s: float = Field(
        default=10.0, gt=0, description="time to get a connection, or a statement's turn"
    )

    @property
    def password(self) -> SecretStr | None:
        """The password within the URL, so that the log can mask it."""
        return password_of(self.url)

    def address(self, storage_url: str) -> str:
        """The URL, or that of a file beside the folder of the pictures."""
        if told := self.url.get_secret_value():
            return told
        at = urlsplit(storage_url)
        folder = Path(at.netloc + at.path).parent if at.scheme == "file" else Path("var")
        return f"sqlite:///{folder / _FILE}"


class SessionSettings(Section):
    """Sessions, and the runner that has their items made."""

    retention_s: int = Field(
        default=DAY_S, gt=0, description="age at which a session and its pictures are erased"
    )
    account_retention_s: int = Field(
        default=30 * DAY_S,
        gt=0,
        le=90 * DAY_S,
        description="longest that a signed-in user or an API key may choose to have one kept",
    )
    repeat_s: int = Field(
        default=DAY_S, gt=0, description="how long an Idempotency-Key is remembered"
    )
    max_items: int = Field(default=64, ge=1, description="items of a batch at most")
    per_user: int = Field(default=4, ge=1, description="items of one user that run at once")
    is_running: bool = Field(
        default=True, description="make what is queued here; off: leave it to other gateways"
    )
    per_engine: int = Field(
        default=0, ge=0, description="items that run at once here; 0: as many as its workers take"
    )
    fallback_after_s: float = Field(
        default=60.0,
        ge=0,
        description="how long an engine is away before another makes what waits for it",
    )
    lease_s: float = Field(
        default=15.0,
        gt=0,
        le=LONGEST_AHEAD_S,
        description="silence after which an item is taken over by others",
    )
    beat_s: float = Field(default=4.0, gt=0, description="pause between two renewals of leases")
    poll_s: float = Field(default=1.0, gt=0, description="longest time between two looks for work")
    progress_s: float = Field(default=0.5, gt=0, description="least time between two notes of it")
    max_tries: int = Field(default=5, ge=1, description="times an item is begun in all")
    grace_s: float = Field(
        default=5.0, ge=0, description="time to write down what is done when the gateway ends"
    )
    max_watchers: int = Field(
        default=1000, ge=1, description="streams and sockets that watch sessions here at most"
    )
    watchers_per_user: int = Field(
        default=200, ge=1, description="of those, streams and sockets on one user's sessions"
    )
    watchers_per_session: int = Field(
        default=20, ge=1, description="of those, streams and sockets on one session"
    )
    erase_interval_s: float = Field(
        default=30.0, gt=0, description="pause between two looks for sessions to erase"
    )
    retry_first_s: float = Field(default=0.5, gt=0, description="pause before the second try")
    retry_longest_s: float = Field(
        default=15.0, gt=0, le=LONGEST_AHEAD_S, description="longest pause between tries"
    )
