import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.identity import (
    USER_SCOPES,
    Caller,
    KeyLimits,
    Kind,
    administrator,
    stranger,
    visitor,
)
from gateway.domain.limits import (
    HEADERS,
    Bucket,
    Limit,
    Rate,
    Rates,
    Spent,
    buckets_of,
    headers_of,
    home_of,
    limit_of,
)

RATES = Rates(Rate(10), Rate(100), Rate(60), Rate(20))
kinds = st.sampled_from((Limit.INFERENCE, Limit.READ, Limit.WRITE))
addresses = st.ip_addresses().map(str)
names = st.text(min_size=1, max_size=20)


def user(name: str) -> Caller:
    return Caller(f"user:{name}", Kind.USER, USER_SCOPES)


@given(limit=kinds, name=names, here=addresses, there=addresses)
def test_a_user_has_his_own_tokens_wherever_he_asks_from(
    limit: Limit, name: str, here: str, there: str
) -> None:
    (bucket,) = buckets_of(user(name), limit, here, RATES)
    assert [bucket] == list(buckets_of(user(name), limit, there, RATES))
    assert bucket.rate == RATES.of(limit)


@pytest.mark.prop(12)
@given(
    callers=st.lists(
        st.tuples(st.sampled_from(("user", "stranger")), names, addresses, kinds),
        min_size=2,
        max_size=2,
    )
)
def test_two_share_a_bucket_only_if_they_are_one_user_or_come_from_one_home(
    callers: list[tuple[str, str, str, Limit]],
) -> None:
    taken = []
    for kind, name, address, limit in callers:
        caller = user(name) if kind == "user" else stranger(address, b"salt")
        taken.append({b.name for b in buckets_of(caller, limit, address, RATES)})
    (kind_a, name_a, from_a, limit_a), (kind_b, name_b, from_b, limit_b) = callers
    if kind_a == kind_b == "user":
        are_one = name_a == name_b and limit_a is limit_b
    else:
        are_one = kind_a == kind_b and home_of(from_a) == home_of(from_b)
    assert bool(taken[0] & taken[1]) == are_one


def test_a_visitors_token_brings_no_new_tokens() -> None:
    first, second = visitor("a" * 22), visitor("b" * 22)
    assert first is not None
    assert second is not None
    of_first = buckets_of(first, Limit.READ, "192.0.2.7", RATES)
    assert of_first == buckets_of(second, Limit.READ, "192.0.2.7", RATES)
    assert [b.limit for b in of_first] == [Limit.ANONYMOUS]
    asked = buckets_of(first, Limit.INFERENCE, "192.0.2.7", RATES)
    assert [b.limit for b in asked] == [Limit.INFERENCE, Limit.ANONYMOUS]


def test_a_key_has_its_own_limit_beside_its_owners() -> None:
    limits = KeyLimits(requests_per_min=3)
    caller = Caller("user:ann", Kind.API_KEY, USER_SCOPES, key_id="k1", limits=limits)
    own, owners = buckets_of(caller, Limit.WRITE, "192.0.2.7", RATES)
    assert (own.name, own.rate) == ("key:k1", Rate(3))
    assert [owners] == list(buckets_of(user("ann"), Limit.WRITE, "192.0.2.7", RATES))


def test_the_administrator_is_not_limited() -> None:
    assert not buckets_of(administrator(), Limit.WRITE, "192.0.2.7", RATES)


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("192.0.2.7", "192.0.2.8", False),
        ("", "192.0.2.7", False),
    ],
)
def test_a_home_is_an_address_or_a_network_of_ipv6(one: str, other: str, are_one: bool) -> None:  # noqa: FBT001
    assert (home_of(one) == home_of(other)) == are_one


def test_reading_is_what_changes_nothing() -> None:
    assert [limit_of(method) for method in ("GET", "HEAD", "POST", "DELETE")] == [
        Limit.READ,
        Limit.READ,
        Limit.WRITE,
        Limit.WRITE,
    ]


def _spent(limit: Limit, per_min: int, remaining: int, reset_s: float) -> Spent:
    return Spent(
        Bucket(limit, "x", Rate(per_min)),
        is_over=False,
        remaining=remaining,
        reset_s=reset_s,
        retry_s=0,
    )


def test_headers_tell_of_the_tightest_and_of_all() -> None:
    spent = [_spent(Limit.INFERENCE, 10, 19, 5.2), _spent(Limit.ANONYMOUS, 20, 7, 99)]
    assert headers_of(spent) == {
        "X-RateLimit-Limit": "40",
        "X-RateLimit-Remaining": "7",
        "X-RateLimit-Reset": "99",
        "RateLimit-Policy": '"inference";q=20;w=120, "anonymous";q=40;w=120',
        "RateLimit": '"inference";r=19;t=6, "anonymous";r=7;t=99',
    }
    assert not headers_of([])


@pytest.mark.prop(10)
@given(
    per_min=st.integers(1, 10_000),
    remaining=st.integers(0, 20_000),
    reset_s=st.floats(0, 1e6, allow_nan=False),
    limit=st.sampled_from(Limit),
)
def test_headers_are_what_their_standards_say(
    per_min: int, remaining: int, reset_s: float, limit: Limit
) -> None:
    told = headers_of([_spent(limit, per_min, remaining, reset_s)])
    assert tuple(told) == HEADERS
    for name in HEADERS[:3]:
        assert told[name].isdecimal()
    assert re.fullmatch(r'"[a-z_]+";q=\d+;w=\d+', told["RateLimit-Policy"])
    assert re.fullmatch(r'"[a-z_]+";r=\d+;t=\d+', told["RateLimit"])
