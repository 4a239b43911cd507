"""What a deployment that others reach must not be: each rule has a name, and stops the start."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from gateway.settings.tree import Settings

DEVELOPMENT_SECRET: Final = "development-only-signing-secret"  # noqa: S105 - refused in production
_MIN_SECRET_CHARS: Final = 32
_MOST_PER_MIN: Final = 1000
_INSIDE: Final = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc")


def faults(settings: Settings, *, is_public: bool) -> list[str]:
    """What is unsafe about these settings, each by the name of its setting; never a value.

    `is_public` asks for what only the public needs: HTTPS.
    """
    checks = {
        **_secrets(settings),
        **_browsers(settings, is_public=is_public),
        **_neighbours(settings),
        **_strangers(settings),
        "pixazo.is_stand_in is on": settings.pixazo.is_stand_in,
        "storage.url is memory: results would not survive": (
            settings.storage.url.startswith("memory:")
        ),
    }
    return [fault for fault, is_found in checks.items() if is_found]


def _secrets(settings: Settings) -> dict[str, bool]:
    signing = settings.storage.signing_secret
    found = {
        "storage.signing_secret is the development default": (
            signing.get_secret_value() == DEVELOPMENT_SECRET
        )
    }
    for name, secret in (
        ("storage.signing_secret", signing),
        ("admin.token", settings.admin.token),
        ("supabase.jwt_secret", settings.supabase.jwt_secret),
    ):
        is_short = secret is not None and len(secret.get_secret_value()) < _MIN_SECRET_CHARS
        found[f"{name} is shorter than {_MIN_SECRET_CHARS} characters"] = is_short
    return found


def _browsers(settings: Settings, *, is_public: bool) -> dict[str, bool]:
    http = settings.http
    return {
        "http.hsts is off": is_public and not http.hsts,
        "http.public_url is not https": http.public_url.startswith("http:"),
        "http.cors_origins holds a wildcard": any("*" in one for one in http.cors_origins),
        "http.cors_origins holds an origin that is not https": is_public
        and any(one.startswith("http:") for one in http.cors_origins),
        "supabase.secure_cookies is off": not settings.supabase.secure_cookies,
        "supabase.url is not https": settings.supabase.url.startswith("http:"),
    }


def _neighbours(settings: Settings) -> dict[str, bool]:
    torchserve = settings.torchserve
    return {
        **dict(_reachable("inference", torchserve.inference_url, torchserve.inference_token)),
        **dict(_reachable("management", torchserve.management_url, torchserve.management_token)),
        "webhooks.allow_private is on": settings.webhooks.allow_private,
        "recommendations.are_stand_ins is on": settings.recommendations.are_stand_ins,
    }


def _strangers(settings: Settings) -> dict[str, bool]:
    limits, is_open = settings.limits, settings.identity.anonymous
    return {
        f"limits.{kind} is no limit for the strangers that identity.anonymous lets in": (
            is_open and rate > _MOST_PER_MIN
        )
        for kind, rate in (
            ("anonymous_per_min", limits.anonymous_per_min),
            ("inference_per_min", limits.inference_per_min),
        )
    }


def _reachable(
    api: str, urls: tuple[str, ...], token: SecretStr | None
) -> Iterator[tuple[str, bool]]:
    outside = [url for url in urls if not _is_inside(urlsplit(url).hostname or "")]
    named = f"torchserve.{api}_url can be reached from outside"
    yield f"{named}, and there is no torchserve.{api}_token", bool(outside) and not token
    yield (
        f"{named}, and is not https: its token would be read on the way",
        bool(token) and any(url.startswith("http:") for url in outside),
    )


def _is_inside(host: str) -> bool:
    """Whether only neighbours can reach a host: its address is private, or its name.

    A name of one label is a container's or a service's.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_INSIDE) or ".svc." in host
    return (address.is_private or address.is_loopback) and not address.is_unspecified
