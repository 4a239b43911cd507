"""Versions of a model side by side: which one a request goes to, and whether a new one is worse."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.domain.jobs import ModelState

_VERSION: Final = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}", re.ASCII)
_HASH_BITS: Final = 64
_KEPT_DURATIONS: Final = 1000
_TAIL: Final = 10  # the slowest one of so many


def is_version(text: str) -> bool:
    """Whether a text is a semantic version, MAJOR.MINOR.PATCH."""
    return _VERSION.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Split:
    """A `share` (0..1) of a model's requests tries the version `canary`."""

    canary: str
    share: float


def version_for(split: Split | None, default: str | None, request_id: str) -> str | None:
    """The version that a request goes to: the same one each time it is asked for.

    Whoever goes to the canary at one share goes there at every larger one, too.
    """
    if split is not None and _place(split.canary, request_id) < split.share:
        return split.canary
    return default


def _place(version: str, request_id: str) -> float:
    """Where a request stands among all, evenly from 0 to 1; each version shuffles anew."""
    digest = sha256(f"{version}\n{request_id}".encode()).digest()
    return int.from_bytes(digest[: _HASH_BITS // 8]) / (1 << _HASH_BITS)


@dataclass(frozen=True, slots=True)
class Tally:
    """What has become of the requests that one version took.

    `failed` is the version's fault, `refused` what it found wrong with a picture. `durations_s`
    are those of the answers, the last thousand.
    """

    answered: int = 0
    failed: int = 0
    refused: int = 0
    durations_s: tuple[float, ...] = ()

    @property
    def total(self) -> int:
        """Every request that ended."""
        return self.answered + self.failed + self.refused

    @property
    def median_s(self) -> float | None:
        """Half of the answers took no longer; None before the first."""
        return median(self.durations_s) if self.durations_s else None

    @property
    def p90_s(self) -> float | None:
        """Nine of ten answers took no longer; None before there are ten."""
        if len(self.durations_s) < _TAIL:
            return None
        return quantiles(self.durations_s, n=_TAIL)[-1]

    def with_answer(self, duration_s: float) -> Tally:
        """The same after one more answer."""
        kept = (*self.durations_s, duration_s)[-_KEPT_DURATIONS:]
        return replace(self, answered=self.answered + 1, durations_s=kept)

    def with_failure(self) -> Tally:
        """The same after one more failure."""
        return replace(self, failed=self.failed + 1)

    def with_refusal(self) -> Tally:
        """The same after one more picture was found wanting."""
        return replace(self, refused=self.refused + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much worse a new version may be than the old one.

    `error_rise` and `refusal_rise` are differences of rates (0..1), `slowdown` a ratio of median
    durations. Rates and durations mean something from `requests` on.
    """

    requests: int
    error_rise: float
    refusal_rise: float
    slowdown: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rollout did not go through: a word for machines, and a sentence."""

    code: str
    message: str


def worse(old: Tally, new: Tally, limits: Limits) -> Reason | None:
    """Why the new version is worse than the old one; None when it is not, or not yet known to be.

    Errors are told as soon as no luck with the rest of the first `requests` could make up for them.
    """
    counted = max(new.total, limits.requests)
    for code, what, mine, others, rise in (
        ("more_errors", "failed", new.failed, old.failed, limits.error_rise),
        ("more_refusals", "were declined", new.refused, old.refused, limits.refusal_rise),
    ):
        if mine > (_rate(others, old.total) + rise) * counted:
            told = f"{mine} of {new.total} requests {what}"
            return Reason(code, f"{told}, and {others} of {old.total} before.")
    return _slower(old, new, limits)


def _slower(old: Tally, new: Tally, limits: Limits) -> Reason | None:
    if min(old.answered, new.answered) < limits.requests:
        return None
    before_s, now_s = median(old.durations_s), median(new.durations_s)
    if now_s <= before_s * limits.slowdown:
        return None
    return Reason(
        "slower", f"Half of the answers took over {now_s:.2f} s, before {before_s:.2f} s."
    )


def _rate(count: int, total: int) -> float:
    return count / total if total else 0.0


class VersionRefused(Exception):
    """The model server refused what was asked of a version; the message says why."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version as the model server describes it, and how many requests wait for it there."""

    version: str
    state: ModelState
    is_default: bool
    archive: str
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of the model store, checked: what it holds, and how it wants to be served.

    `serving` are TorchServe's own names and values from the archive's YAML: batch size and the
    like. `startup_s` is how long a worker may take to get ready.
    """

    file: str
    model: str
    version: str
    workers: int
    startup_s: float
    serving: Mapping[str, int]
