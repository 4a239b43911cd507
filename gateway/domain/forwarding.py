"""From where a request comes, when it came through proxies.

A header can be written by anybody, so it is believed as far as a proxy of the deployment wrote it:
each such proxy adds, at the right, whom it was asked by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MOST_HOPS: Final = 32
_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;"]+))\s*(?=;|$)', re.IGNORECASE)
_BRACKETED: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?")
_WITH_PORT: Final = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d{1,5}")


class ForwardedBy(StrEnum):
    """The one header that the proxies of a deployment write; the other is anybody's."""

    X_FORWARDED_FOR = "x-forwarded-for"
    FORWARDED = "forwarded"  # RFC 7239


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of a deployment: in these networks, and writing this header."""

    networks: tuple[Network, ...] = ()
    header: ForwardedBy = ForwardedBy.X_FORWARDED_FOR

    @classmethod
    def of(cls, cidrs: Iterable[str], header: ForwardedBy) -> Proxies:
        """Read networks such as `10.0.0.0/8`; raises ValueError."""
        return cls(tuple(ip_network(cidr) for cidr in cidrs), header)

    def trusts(self, peer: str) -> bool:
        """Whether the other end of a connection is a proxy of the deployment."""
        address = read_address(peer)
        return address is not None and self._is_ours(address)

    def client(self, peer: str, values: Sequence[str]) -> str:
        """The address of whoever asks: the last one that no proxy of ours has.

        `peer` is the other end of the connection, `values` are those of the header, in their order.
        What cannot be read ends the way back: then the proxy that wrote it is the client, as
        nothing behind it is known.
        """
        known = read_address(peer)
        if known is None or not self._is_ours(known):
            return peer if known is None else str(known)
        for hop in reversed(self._hops(values)):
            address = read_address(hop)
            if address is None:
                break
            known = address
            if not self._is_ours(address):
                break
        return str(known)

    def _hops(self, values: Sequence[str]) -> Sequence[str]:
        hops = [hop for value in values for hop in value.split(",")][-_MOST_HOPS:]
        if self.header is ForwardedBy.X_FORWARDED_FOR:
            return hops
        return [_named(hop) for hop in hops]

    def _is_ours(self, address: Address) -> bool:
        return any(
            address.version == network.version and address in network for network in self.networks
        )


def read_address(text: str) -> Address | None:
    """An address as proxies write it, with or without a port; an IPv4 one within IPv6 is itself."""
    bare = text.strip()
    if found := _BRACKETED.fullmatch(bare) or _WITH_PORT.fullmatch(bare):
        bare = found[1]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _named(element: str) -> str:
    """What an element of `Forwarded` says of whom it is for; nothing where it says two things."""
    found = _FOR.findall(element)
    return "".join(found[0]) if len(found) == 1 else ""
