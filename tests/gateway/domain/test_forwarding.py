from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.forwarding import ForwardedBy, Proxies, read_address

OURS = ("10.0.0.0/8", "fd00::/8")
PROXIES = Proxies.of(OURS, ForwardedBy.X_FORWARDED_FOR)
RFC_7239 = Proxies.of(OURS, ForwardedBy.FORWARDED)

ours = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8")
others = st.ip_addresses(network="192.0.2.0/24") | st.ip_addresses(network="2001:db8::/32")
anything = st.text(max_size=40)


def written(address: IPv4Address | IPv6Address, port: int | None) -> str:
    if port is None:
        return str(address)
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


ports = st.none() | st.integers(1, 65535)


@given(peer=others, values=st.lists(anything, max_size=4))
def test_a_header_is_ignored_that_no_proxy_of_ours_wrote(
    peer: IPv4Address, values: list[str]
) -> None:
    assert PROXIES.client(str(peer), values) == str(peer)


@given(peer=ours, values=st.lists(anything, max_size=4))
def test_without_proxies_nothing_is_believed(peer: IPv4Address, values: list[str]) -> None:
    assert Proxies().client(str(peer), values) == str(peer)


@given(
    forged=st.lists(others | ours, max_size=5),
    client=others,
    hops=st.lists(ours, max_size=5),
    peer=ours,
    port=ports,
    cut=st.integers(0, 10),
)
def test_the_client_is_the_last_that_is_not_ours_whatever_it_claims_itself(
    forged: list[IPv4Address],
    client: IPv4Address,
    hops: list[IPv4Address],
    peer: IPv4Address,
    port: int | None,
    cut: int,
) -> None:
    chain = [written(address, port) for address in (*forged, client, *hops)]
    lines = [", ".join(part) for part in (chain[:cut], chain[cut:]) if part]
    assert PROXIES.client(str(peer), lines) == str(client)


@given(forged=anything, hops=st.lists(ours, min_size=1, max_size=5), peer=ours)
def test_what_cannot_be_read_ends_the_way_back(
    forged: str, hops: list[IPv4Address], peer: IPv4Address
) -> None:
    line = ", ".join([f"{forged}, unknown", *map(str, hops)])
    assert PROXIES.client(str(peer), [line]) == str(hops[0])


@given(client=others, hops=st.lists(ours, max_size=3), peer=ours, port=ports)
def test_the_standard_header_is_read_as_well(
    client: IPv4Address, hops: list[IPv4Address], peer: IPv4Address, port: int | None
) -> None:
    chain = [f'for="{written(one, port)}";proto=https' for one in (client, *hops)]
    assert RFC_7239.client(str(peer), [", ".join(chain)]) == str(client)


@given(
    values=st.lists(anything, max_size=4), peer=ours, proxies=st.sampled_from((PROXIES, RFC_7239))
)
def test_whatever_is_written_an_address_is_answered(
    values: list[str], peer: IPv4Address, proxies: Proxies
) -> None:
    ip_address(proxies.client(str(peer), values))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7:80 ", "192.0.2.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.7:http", None),
        ("_hidden", None),
        ("192.0.2.07", None),
        ("", None),
    ],
)
def test_addresses_are_read_as_proxies_write_them(text: str, address: str | None) -> None:
    assert read_address(text) == (None if address is None else ip_address(address))


@pytest.mark.parametrize(
    ("element", "client"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ('proto=https;For="[2001:db8::1]:80";by=10.0.0.9', "2001:db8::1"),
        ("for=192.0.2.7;for=192.0.2.8", "10.0.0.1"),
        ("for=_secret", "10.0.0.1"),
        ("by=192.0.2.7", "10.0.0.1"),
        ("xfor=192.0.2.7", "10.0.0.1"),
    ],
)
def test_elements_of_the_standard_header(element: str, client: str) -> None:
    assert RFC_7239.client("10.0.0.1", [element]) == client


def test_the_header_that_is_not_configured_is_anybodys() -> None:
    assert RFC_7239.client("10.0.0.1", ["192.0.2.7"]) == "10.0.0.1"
    assert PROXIES.client("10.0.0.1", ["for=192.0.2.7"]) == "10.0.0.1"
