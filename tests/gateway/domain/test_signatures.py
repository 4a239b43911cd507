from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.domain.signatures import sign, signed_path, verify
from gateway.errors.tokens import LinkExpired, LinkInvalid

SECRET = b"a key of the test"
PATH = "/api/v1/results/69209f80-3q2_7wAAAAAAAAAAAAAAAA.jpg"
NOW = 1_700_000_000.0
expiries = st.integers(int(NOW) + 1, 10**11)


@given(expiries)
def test_a_signed_link_opens_until_it_expires(expires_at: int) -> None:
    query = parse_qs(urlsplit(signed_path(SECRET, PATH, expires_at)).query)
    link = (SECRET, PATH, query["expires"][0], query["signature"][0])
    verify(*link, now=NOW)
    verify(*link, now=expires_at - 0.001)
    with pytest.raises(LinkExpired):
        verify(*link, now=expires_at)


@given(expiries, expiries)
def test_an_expiry_cannot_be_moved(signed: int, wanted: int) -> None:
    assume(signed != wanted)
    with pytest.raises(LinkInvalid):
        verify(SECRET, PATH, str(wanted), sign(SECRET, PATH, signed), NOW)


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_made_up_link_opens(expires: str, signature: str) -> None:
    with pytest.raises(LinkInvalid):
        verify(SECRET, PATH, expires, signature, NOW)


@pytest.mark.parametrize("expires", ["", "-1", "+1700000001", " 1700000001", "1e10", "01700000001"])
def test_an_expiry_has_one_spelling(expires: str) -> None:
    with pytest.raises(LinkInvalid):
        verify(SECRET, PATH, expires, sign(SECRET, PATH, 1_700_000_001), NOW)


def test_a_link_opens_one_path_and_needs_the_key() -> None:
    expires = int(NOW) + 60
    for secret, path in ((SECRET, PATH + "x"), (b"another key", PATH)):
        with pytest.raises(LinkInvalid):
            verify(secret, path, str(expires), sign(SECRET, PATH, expires), NOW)
