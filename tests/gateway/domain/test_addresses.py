from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.addresses import checked_url, is_public
from gateway.errors.kinds import InvalidInput

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
NOT_PUBLIC = [
    "127.0.0.1", "127.255.0.1", "0.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "::ffff:7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
    "64:ff9b:1:7f00:0:100:808:808", "64:ff9b:1::808:808",
    "2002:7f00:1::", "2002:a9fe:a9fe::", "::127.0.0.1", "::10.0.0.1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "", "host", "127.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_for_everybody_is_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_within_ipv6(address: IPv4Address) -> None:
    for within in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_public(within) == is_public(str(address))
    in_6to4 = IPv6Address((0x2002 << 112) | (int(address) << 80) | 1)
    assert is_public(str(in_6to4)) == is_public(str(address))


@given(st.ip_addresses(v=6))
def test_every_address_has_an_answer(address: IPv6Address) -> None:
    assert is_public(str(address)) in {True, False}


@pytest.mark.parametrize(
    "url",
    ["", "host", "ftp://example.com", "file:///etc/passwd", "https://", "https://user:pw@example.com",
     "https://exa mple.com", "https://example.com:99999", "http://[::1", "https://exämple.com",
     "https://example.com/\n", "http://localhost/", "http://LOCALHOST./", "http://127.0.0.1:8081/",
     "http://[::1]/", "http://169.254.169.254/latest/meta-data", "https://e.com/" + "x" * 2048],
)  # fmt: skip
def test_a_url_that_must_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_url("url", url, allow_private=False)
    assert caught.value.details["fields"][0]["field"] == "url"  # type: ignore[index,call-overload]


def test_other_urls_are_taken_as_they_are() -> None:
    for url in ("https://example.com/hook?key=1", "http://8.8.8.8:8080/", "https://xn--e1a.com"):
        assert checked_url("url", url, allow_private=False) == url
    assert checked_url("url", "http://127.0.0.1:9/", allow_private=True)
