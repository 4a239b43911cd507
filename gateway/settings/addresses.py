"""Addresses of services: those that are shown a key of ours, and those that have one within."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def is_here(url: str) -> bool:
    """Whether an address is on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _over_tls(url: str) -> str:
    """The key goes over an encrypted line, or stays on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here(url)):
        raise ValueError("must begin with https://")
    if parts.username is not None or parts.query or parts.fragment or not parts.hostname:
        raise ValueError("must be a plain address")
    return url.rstrip("/")


ServiceUrl = Annotated[str, AfterValidator(_over_tls)]


def password_of(url: SecretStr) -> SecretStr | None:
    """The password within a URL, so that the log can mask it."""
    found = urlsplit(url.get_secret_value()).password
    return None if found is None else SecretStr(found)
