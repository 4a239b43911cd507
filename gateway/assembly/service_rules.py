"""What services go by, as the settings say it."""

from collections.abc import Mapping
from typing import Final

from gateway.assembly.erasing import ErasingRules
from gateway.domain.images import ImageLimits
from gateway.domain.licensing import Licensing
from gateway.domain.options import Engine
from gateway.errors.kinds import Misconfigured
from gateway.services.results import LinkRules
from gateway.settings.tree import Settings, UploadSettings

_DEFAULT: Final = "setting VTON_TRYON__DEFAULT_ENGINE"


def check_default(engines: Mapping[str, Engine], default: str, licensing: Licensing) -> None:
    """Raise Misconfigured for a default engine that is not there, or may not be used."""
    if default not in engines:
        raise Misconfigured(f"{_DEFAULT}: not one of {sorted(engines)}")
    if reason := licensing.reason(engines[default]):
        raise Misconfigured(f"{_DEFAULT}: {reason}, and VTON_COMMERCIAL_ONLY is on")


def image_limits(uploads: UploadSettings) -> ImageLimits:
    """What a picture may measure."""
    return ImageLimits(
        min_side_px=uploads.min_side_px,
        max_pixels=uploads.max_pixels,
        max_aspect_ratio=uploads.max_aspect_ratio,
        working_side_px=uploads.working_side_px,
    )


def link_rules(settings: Settings) -> LinkRules:
    """How links are signed."""
    secret = settings.storage.signing_secret.get_secret_value().encode()
    return LinkRules(secret, settings.storage.link_ttl_s, settings.http.public_url.rstrip("/"))


def erasing_rules(settings: Settings) -> ErasingRules:
    """How what is over is erased."""
    secret = settings.storage.signing_secret.get_secret_value().encode()
    pauses = (settings.storage.sweep_interval_s, settings.sessions.erase_interval_s)
    return ErasingRules(secret, settings.audit.retention_s, *pauses, settings.webhooks.kept_s)
