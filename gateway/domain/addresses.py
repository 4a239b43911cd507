"""Which internet addresses a server may talk to on behalf of somebody it does not know."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from gateway.errors.kinds import InvalidInput

# Not 64:ff9b:1::/48 (RFC 8215): where the IPv4 address lies in it, each network says for itself.
_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_MOST_CHARS: Final = 2048


def is_public(address: str) -> bool:
    """Whether an address (as text) belongs to the internet that everybody shares.

    Neither private, loopback, link-local (clouds tell their secrets there), shared by a provider,
    multicast nor reserved; an IPv4 address within an IPv6 one counts as itself.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        within = _within(parsed)
        if within is not None:
            return is_public(str(within))
        if parsed.teredo is not None or parsed not in _GLOBAL_UNICAST:
            return False
    return parsed.is_global and not (
        parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified
    )


def _within(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if int(address) >> 32 == 0 and int(address) > 1:  # ::a.b.c.d, given up, still understood
        return IPv4Address(int(address))
    return address.ipv4_mapped or address.sixtofour


def checked_url(field: str, url: str, *, allow_private: bool) -> str:
    """An http(s) URL without credentials, whose host, if it is an address, is public.

    Raises InvalidInput that names the field. A host's name is looked up when it is called.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput.of(field, "is not a URL") from None
    if parts.scheme not in {"http", "https"} or not host or len(url) > _MOST_CHARS:
        raise InvalidInput.of(field, "must be an http or https URL")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInput.of(field, "must be written in ASCII")
    if "@" in parts.netloc:
        raise InvalidInput.of(field, "must not hold credentials")
    if not allow_private and not _may_be_public(host):
        raise InvalidInput.of(field, "must be reachable from the internet")
    return url


def _may_be_public(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host.rstrip(".").lower() != "localhost"
    return is_public(host)
