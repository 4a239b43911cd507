"""The rules of tokens, keys, cookies and seals, for whatever comes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from gateway.domain.access_tokens import TokenRules, checked_claims, checked_header
from gateway.domain.api_keys import ApiKey, digest_of, id_within, opened, written
from gateway.domain.csrf import csrf_token, is_csrf_token, is_same_origin
from gateway.domain.identity import Scope
from gateway.domain.sealing import name_of, seal, unseal
from gateway.errors.tokens import Unauthenticated
from gateway.settings.identity import SupabaseSettings

NOW = 1_790_000_000.0
RULES = TokenRules(
    frozenset({"ES256"}), "https://x.supabase.co/auth/v1", "authenticated", 5, "admin"
)
GOOD: dict[str, Any] = {
    "iss": RULES.issuer,
    "aud": "authenticated",
    "role": "authenticated",
    "sub": "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
    "session_id": "5f0c7a52-5d39-4a8c-9d8e-2c1f0b9a7e11",
    "iat": NOW - 60,
    "exp": NOW + 3540,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def is_accepted(claims: dict[str, Any]) -> bool:
    try:
        checked_claims(claims, RULES, NOW)
    except Unauthenticated:
        return False
    return True


def test_what_is_whole_is_accepted() -> None:
    assert is_accepted(GOOD)
    assert checked_claims(GOOD | {"app_metadata": {"role": "admin"}}, RULES, NOW).is_admin
    assert not checked_claims(GOOD | {"user_metadata": {"role": "admin"}}, RULES, NOW).is_admin


@pytest.mark.prop(1)
@given(name=st.sampled_from(sorted(GOOD)), value=JSON)
def test_no_claim_is_done_without_and_none_may_be_anything(name: str, value: Any) -> None:  # noqa: ANN401
    assert not is_accepted({key: GOOD[key] for key in GOOD if key != name})
    is_right = value == GOOD[name] or name in {"iat", "exp", "sub", "session_id", "aud"}
    assert is_right or not is_accepted(GOOD | {name: value})
    assert isinstance(is_accepted(GOOD | {name: value}), bool)


@pytest.mark.prop(1)
@given(off_s=st.floats(-1e6, 1e6))
def test_a_token_lives_from_its_issue_to_its_end_and_a_leeway(off_s: float) -> None:
    now = NOW + off_s  # rounded, where it matters
    lives = NOW - RULES.leeway_s <= now < NOW + 100 + RULES.leeway_s
    claims = GOOD | {"iat": NOW, "exp": NOW + 100}
    try:
        checked_claims(claims, RULES, now)
        found = True
    except Unauthenticated:
        found = False
    assert found == lives


@pytest.mark.prop(1)
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jku", "crit", "x"]), JSON))
def test_a_header_is_ours_or_refused(header: dict[str, Any]) -> None:
    try:
        algorithm, kid = checked_header(header, RULES)
    except Unauthenticated:
        return
    assert algorithm == header["alg"] == "ES256"
    assert kid == header["kid"]
    assert header.keys() <= {"alg", "kid", "typ"}


@given(secret=st.binary(min_size=32, max_size=32), other=st.text(max_size=80))
def test_a_key_opens_by_all_of_it_alone(secret: bytes, other: str) -> None:
    text = written("0123456789ab", secret)
    key = ApiKey("0123456789ab", "user:a", "shop", digest_of(text), frozenset({Scope.READ}), NOW)
    assert id_within(text) == key.key_id
    assert opened(key, text, NOW) is key
    for wrong in (other, text[:-1], text + "A", text.swapcase()):
        if wrong == text:
            continue
        with pytest.raises(Unauthenticated):
            opened(key, wrong, NOW)
    with pytest.raises(Unauthenticated):
        opened(None, text, NOW)


@pytest.mark.prop(2)
@given(
    session=st.uuids(),
    other=st.uuids(),
    sent=st.text(max_size=120),
    random=st.binary(min_size=16, max_size=16),
)
def test_a_csrf_token_is_its_sign_in_s_alone(
    session: object, other: object, sent: str, random: bytes
) -> None:
    token = csrf_token(b"secret", str(session), random)
    assert is_csrf_token(b"secret", str(session), token, token)
    assert not is_csrf_token(b"secret", str(session), token, sent)
    assert not is_csrf_token(b"secret", str(session), sent, sent)
    assert not is_csrf_token(b"another", str(session), token, token)
    assert other == session or not is_csrf_token(b"secret", str(other), token, token)


@pytest.mark.parametrize(
    ("site", "origin", "is_ours"),
    [
        ("same-origin", "https://shop.example", True),
        ("same-origin", None, True),
        (None, "https://shop.example", True),
        ("cross-site", "https://app.example", True),  # named by the configuration
        (None, None, False),
        ("none", None, False),
        ("same-site", None, False),
        ("same-site", "https://shop.example", False),
        ("cross-site", "https://shop.example", False),
        ("same-origin", "https://evil.example", False),
        (None, "null", False),
        (None, "https://shop.example.evil.example", False),
        (None, "ftp://shop.example", False),
        (None, "", False),
    ],
)
@pytest.mark.prop(2)
def test_where_a_request_comes_from(site: str | None, origin: str | None, is_ours: bool) -> None:  # noqa: FBT001
    trusted = frozenset({"https://app.example"})
    assert is_same_origin(site, origin, "shop.example", trusted) == is_ours


@given(secret=st.text(min_size=1), other=st.text(min_size=1), text=st.binary(), at=st.integers(0))
def test_a_seal_opens_for_its_secret_alone(secret: str, other: str, text: bytes, at: int) -> None:
    sealed = seal(secret.encode("utf-8", "ignore").decode(), text)
    known = secret.encode("utf-8", "ignore").decode()
    assert unseal(known, sealed) == text
    changed = bytearray(sealed)
    changed[at % len(changed)] ^= 1
    assert unseal(known, bytes(changed)) is None
    if other.encode("utf-8", "ignore").decode() != known:
        assert unseal(other.encode("utf-8", "ignore").decode(), sealed) is None
    assert len(known) < 16 or known not in name_of(known)  # a few digits are there by chance


@pytest.mark.parametrize(
    "told",
    [
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"algorithms": ["HS256"]},
        {"algorithms": ["HS256"], "jwt_secret": SecretStr("short")},
        {"algorithms": ["HS256", "ES256"], "jwt_secret": SecretStr("s" * 40)},
        {"url": "ftp://x"},
        {"url": "x.supabase.co"},
    ],
)
@pytest.mark.prop(37)
def test_settings_that_would_let_others_in_stop_the_start(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SupabaseSettings.model_validate(told)
