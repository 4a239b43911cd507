"""Every setting of the gateway: one tree, read once, checked before anything starts.

Values come, in falling order, from the environment (`VTON_STORAGE__URL=…`), from
`config/<environment>.env`, and from the defaults below. Secrets come from the environment alone.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from gateway.domain.durations import DAY_S
from gateway.domain.options import Patience
from gateway.errors.kinds import Misconfigured
from gateway.settings.admin import AdminSettings, RolloutSettings
from gateway.settings.audit import AuditSettings
from gateway.settings.comma_lists import CommaList
from gateway.settings.features import FeatureSettings
from gateway.settings.http import HttpSettings
from gateway.settings.identity import IdentitySettings, SupabaseSettings
from gateway.settings.limits import LimitSettings, ProxySettings
from gateway.settings.pixazo import PixazoSettings
from gateway.settings.production_rules import DEVELOPMENT_SECRET, faults
from gateway.settings.recommendations import RecommendationSettings
from gateway.settings.section import Section
from gateway.settings.sessions import DatabaseSettings, SessionSettings
from gateway.settings.webhooks import NoticesSettings, WebhookSettings

PREFIX: Final = "VTON_"
_MIB: Final = 1 << 20


class Environment(StrEnum):
    """Where the gateway runs; production refuses what is only safe on a laptop."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class UploadSettings(Section):
    """What may be uploaded."""

    max_file_bytes: int = Field(default=10 * _MIB, gt=0, description="largest accepted file")
    max_field_bytes: int = Field(default=64 * 1024, gt=0, description="largest accepted form field")
    max_pixels: int = Field(default=50_000_000, gt=0, description="most pixels a picture may have")
    min_side_px: int = Field(default=64, gt=0, description="shortest accepted side of a picture")
    max_aspect_ratio: float = Field(
        default=4.0, ge=1, description="longest side over shortest side"
    )
    working_side_px: int = Field(
        default=2048, gt=0, description="long side of what goes to the engine"
    )
    decode_workers: int = Field(default=0, ge=0, description="decoding threads; 0: one per core")
    decode_queue: int = Field(default=256, ge=0, description="pictures that may wait to be decoded")


class StorageSettings(Section):
    """Where pictures lie, and for how long."""

    url: str = Field(
        default="file://./var/objects", description="file://, memory:// or s3://bucket/path"
    )
    retention_s: int = Field(default=DAY_S, gt=0, description="age at which pictures are erased")
    sweep_interval_s: float = Field(
        default=3600.0, gt=0, description="pause between two erasing runs"
    )
    link_ttl_s: int = Field(default=3600, gt=0, description="how long a signed link works")
    signing_secret: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_SECRET), description="key of the signed links (secret)"
    )


class TorchServeSettings(Section):
    """The model server."""

    inference_url: CommaList = Field(
        default=("http://127.0.0.1:8080",), description="inference API of each host"
    )
    management_url: CommaList = Field(
        default=("http://127.0.0.1:8081",), description="management API of each, in this order"
    )
    inference_token: SecretStr | None = Field(
        default=None, description="inference API token (secret)"
    )
    management_token: SecretStr | None = Field(
        default=None, description="management API token (secret)"
    )
    connect_s: float = Field(default=2.0, gt=0, description="time to connect")
    deadline_s: float = Field(
        default=60.0, gt=0, description="time for a request, retries included; a YAML may differ"
    )
    first_frame_s: float = Field(
        default=30.0,
        gt=0,
        description="longest wait for a first frame while the queue stands still",
    )
    stall_s: float = Field(
        default=20.0, gt=0, description="longest pause within a stream of frames"
    )
    recovery_s: float = Field(
        default=15.0, gt=0, description="longest wait for a worker to come back"
    )
    retry_first_s: float = Field(default=0.1, gt=0, description="pause before the first retry")
    retry_longest_s: float = Field(default=1.0, gt=0, description="longest pause between retries")
    max_crashes: int = Field(default=2, ge=1, description="workers one request may cost")
    reset_s: float = Field(
        default=5.0, gt=0, description="pause before a host that does not answer is tried again"
    )
    max_connections: int = Field(default=64, gt=0, description="pooled connections")
    max_frame_bytes: int = Field(default=64 * _MIB, gt=0, description="largest frame of a stream")

    @model_validator(mode="after")
    def _has_both_apis_of_each_host(self) -> Self:
        if not 0 < len(self.inference_url) == len(self.management_url):
            raise ValueError("inference_url and management_url must name the same hosts")
        return self

    @property
    def patience(self) -> Patience:
        """How long an engine may take whose YAML says nothing of it."""
        return Patience(self.deadline_s, self.first_frame_s, self.stall_s)


class TryOnSettings(Section):
    """The try-on itself."""

    default_engine: str = Field(
        default="geometric", description="engine of a request that names none"
    )
    fallback: CommaList = Field(
        default=(), description="engines that serve where the asked one cannot, best first"
    )
    engines_dir: Path = Field(
        default=Path("config"), description="folder of the engines' YAML files"
    )
    max_in_flight: int = Field(
        default=64, gt=0, description="requests to models at once; more are told to wait"
    )
    memo_ttl_s: float = Field(
        default=3600.0, ge=0, description="how long a repeat is answered from store"
    )
    memo_entries: int = Field(default=10_000, ge=0, description="requests that are remembered")


class HealthSettings(Section):
    """The background checks behind /health."""

    interval_s: float = Field(default=2.0, gt=0, description="pause between two rounds of checks")
    timeout_s: float = Field(default=2.0, gt=0, description="time one check may take")


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    environment: Environment = Field(
        default=Environment.DEVELOPMENT, description="development, staging or production"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level that is written"
    )
    commercial_only: bool = Field(
        default=False,
        description="refuse models that are not for commercial use; set it for the workers, too",
    )
    features: FeatureSettings = FeatureSettings()
    http: HttpSettings = HttpSettings()
    uploads: UploadSettings = UploadSettings()
    storage: StorageSettings = StorageSettings()
    torchserve: TorchServeSettings = TorchServeSettings()
    tryon: TryOnSettings = TryOnSettings()
    health: HealthSettings = HealthSettings()
    database: DatabaseSettings = DatabaseSettings()
    sessions: SessionSettings = SessionSettings()
    notices: NoticesSettings = NoticesSettings()
    webhooks: WebhookSettings = WebhookSettings()
    identity: IdentitySettings = IdentitySettings()
    supabase: SupabaseSettings = SupabaseSettings()
    audit: AuditSettings = AuditSettings()
    limits: LimitSettings = LimitSettings()
    proxies: ProxySettings = ProxySettings()
    pixazo: PixazoSettings = PixazoSettings()
    admin: AdminSettings = AdminSettings()
    rollout: RolloutSettings = RolloutSettings()
    recommendations: RecommendationSettings = RecommendationSettings()

    @property
    def max_body_bytes(self) -> int:
        """The largest request body: four files as base64, and their frame."""
        return 4 * (self.uploads.max_file_bytes * 4 // 3 + self.uploads.max_field_bytes)

    def secrets(self) -> list[str]:
        """Every secret value in use, so that the log can mask it."""
        values = (
            self.database.password,
            self.notices.password,
            self.limits.password,
            self.storage.signing_secret,
            self.torchserve.inference_token,
            self.torchserve.management_token,
            self.admin.token,
            self.pixazo.key,
            *self.recommendations.secrets(),
            self.supabase.anon_key,
            self.supabase.jwt_secret,
        )
        return [value.get_secret_value() for value in values if value is not None]

    @model_validator(mode="after")
    def _is_safe_for_its_environment(self) -> Self:
        if self.environment is Environment.DEVELOPMENT:
            return self
        found = faults(self, is_public=self.environment is Environment.PRODUCTION)
        if found:
            raise ValueError(f"unsafe for {self.environment}: {'; '.join(found)}")
        return self


def load_settings(config_dir: Path = Path("config")) -> Settings:
    """Read the settings for the environment that `VTON_ENVIRONMENT` names.

    Raises Misconfigured that names every wrong setting, and never shows a value.
    """
    environment = os.environ.get(f"{PREFIX}ENVIRONMENT", Environment.DEVELOPMENT)
    if environment not in set(Environment):
        raise Misconfigured(f"setting {PREFIX}ENVIRONMENT: not one of {', '.join(Environment)}")
    file = config_dir / f"{environment}.env"
    try:
        return Settings(_env_file=file if file.is_file() else None)  # type: ignore[call-arg]
    except ValidationError as error:
        raise Misconfigured("\n".join(_faults(error))) from None
    except SettingsError as error:
        raise Misconfigured(f"setting: {error}") from None


def _faults(error: ValidationError) -> list[str]:
    return [
        f"setting {_env_name(fault['loc'])}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    ]


def _env_name(location: tuple[int | str, ...]) -> str:
    return PREFIX + "__".join(str(part).upper() for part in location) if location else "(tree)"
