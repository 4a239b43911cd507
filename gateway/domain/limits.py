"""How often somebody may ask: which buckets a request takes of, and what their answers say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from gateway.domain.durations import DAY_S
from gateway.domain.identity import SAFE_METHODS, Caller, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.domain.budgets import Budget

_BURST: Final = 2
_MINUTE_S: Final = 60
_HOME_BITS: Final = 64

HEADERS: Final = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
)
"""The headers of every limited answer."""


class Limit(StrEnum):
    """What is limited, by the name that headers, logs and metrics use."""

    INFERENCE = "inference"  # what asks a model, of the deployment or elsewhere
    READ = "read"
    WRITE = "write"
    ANONYMOUS = "anonymous"  # whatever somebody asks whom nobody vouches for
    KEY = "key"  # whatever is asked with one API key
    GPU_SECONDS = "gpu_seconds"  # what that key costs a day: a budget, and no bucket


@dataclass(frozen=True, slots=True)
class Rate:
    """So many tokens a minute come back to a bucket that holds twice as many."""

    per_min: int

    @property
    def burst(self) -> int:
        """Tokens of a full bucket."""
        return _BURST * self.per_min

    @property
    def refill_s(self) -> int:
        """Seconds until an empty bucket is full."""
        return _BURST * _MINUTE_S


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a deployment."""

    inference: Rate
    read: Rate
    write: Rate
    anonymous: Rate

    def of(self, limit: Limit) -> Rate:
        """The rate of a limit; keys bring their own."""
        named = {
            Limit.INFERENCE: self.inference,
            Limit.READ: self.read,
            Limit.WRITE: self.write,
            Limit.ANONYMOUS: self.anonymous,
        }
        return named[limit]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens that one user, address or key has for one kind of request."""

    limit: Limit
    owner: str
    rate: Rate

    @property
    def name(self) -> str:
        """What no other bucket is called: a limit's name has no colon."""
        return f"{self.limit}:{self.owner}"


@dataclass(frozen=True, slots=True)
class Spent:
    """How a bucket stands after a request: it is full after `reset_s` seconds.

    Of one that `is_over` nothing was taken, and `retry_s` seconds later enough has come back.
    """

    bucket: Bucket
    is_over: bool
    remaining: int
    reset_s: float
    retry_s: float


def limit_of(method: str) -> Limit:
    """The limit of a route that asks no model; a WebSocket's is that of reading."""
    return Limit.READ if method in SAFE_METHODS else Limit.WRITE


def buckets_of(caller: Caller, limit: Limit, address: str, rates: Rates) -> Sequence[Bucket]:
    """What a request takes tokens of, the narrowest first; nothing for the administrator.

    Whoever has an account has buckets of his own, wherever he asks from. For everybody else the
    address stands: his name costs nothing, so a new one must not bring new tokens.
    """
    if caller.kind is Kind.ADMIN:
        return ()
    if caller.is_anonymous:
        home = home_of(address)
        whole = Bucket(Limit.ANONYMOUS, home, rates.anonymous)
        asks_model = limit is Limit.INFERENCE
        return (Bucket(limit, home, rates.inference), whole) if asks_model else (whole,)
    own = Bucket(limit, caller.owner, rates.of(limit))
    per_min = caller.limits.requests_per_min
    if caller.key_id is None or per_min is None:
        return (own,)
    return (Bucket(Limit.KEY, caller.key_id, Rate(per_min)), own)


def home_of(address: str) -> str:
    """Who stands behind an address: of IPv6, a customer has a /64 network at least."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return f"ip:{address}"
    if isinstance(parsed, IPv6Address):
        return f"ip:{IPv6Network((parsed, _HOME_BITS), strict=False)}"
    return f"ip:{parsed}"


def tightest(spent: Iterable[Spent]) -> Spent:
    """The bucket that will stop its caller first, as far as one can tell."""
    return min(spent, key=lambda one: (not one.is_over, one.remaining))


def headers_of(spent: Sequence[Spent], budget: Budget | None = None) -> Mapping[str, str]:
    """The headers that say how the buckets stand: X-RateLimit-* tells of the tightest.

    RateLimit and RateLimit-Policy are those of draft-ietf-httpapi-ratelimit-headers-10: `q` tokens
    come back in `w` seconds, `r` are left, and after `t` seconds all are back. A budget is in these
    two, and in the others when it is what stops its caller.
    """
    if not spent:
        return {}
    policies = [_policy(one.bucket) for one in spent]
    standings = [_standing(one) for one in spent]
    if budget is not None:
        policies.append(_item(Limit.GPU_SECONDS, q=math.ceil(budget.gpu_s), w=DAY_S))
        left, reset_s = math.floor(budget.left_s), math.ceil(budget.reset_s)
        standings.append(_item(Limit.GPU_SECONDS, r=left, t=reset_s))
    least = _least(spent, budget)
    values = (*map(str, least), ", ".join(policies), ", ".join(standings))
    return dict(zip(HEADERS, values, strict=True))


def _least(spent: Sequence[Spent], budget: Budget | None) -> tuple[int, int, int]:
    """What stops the caller first: all of it, what is left, and seconds until all is back."""
    if budget is not None and budget.is_spent:
        return math.ceil(budget.gpu_s), 0, math.ceil(budget.reset_s)
    least = tightest(spent)
    return least.bucket.rate.burst, least.remaining, math.ceil(least.reset_s)


def _policy(bucket: Bucket) -> str:
    return _item(bucket.limit, q=bucket.rate.burst, w=bucket.rate.refill_s)


def _standing(one: Spent) -> str:
    return _item(one.bucket.limit, r=one.remaining, t=math.ceil(one.reset_s))


def _item(limit: Limit, **told: int) -> str:
    return ";".join((f'"{limit}"', *(f"{name}={value}" for name, value in told.items())))
