"""What deadlines allow.

On one device that may change its work at any step, earliest deadline first meets them all if
anything does (Liu and Layland 1973), so that order is the test of what fits.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_ROUNDING_S: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Claim:
    """Seconds of work that somebody was promised until `deadline_s`; infinite without a promise."""

    work_s: float
    deadline_s: float


def slacks(claims: Iterable[Claim], now_s: float) -> list[tuple[float, float]]:
    """Give each promise's deadline, earliest first, and the seconds that could still be lost."""
    promised = sorted(
        (claim for claim in claims if math.isfinite(claim.deadline_s)),
        key=lambda claim: claim.deadline_s,
    )
    left, end_s = [], now_s
    for claim in promised:
        end_s += claim.work_s
        left.append((claim.deadline_s, claim.deadline_s - end_s))
    return left


def all_kept(claims: Iterable[Claim], now_s: float) -> bool:
    """Say whether every promise can still be kept."""
    return all(slack > -_ROUNDING_S for _, slack in slacks(claims, now_s))


def room_s(claims: Sequence[Claim], deadline_s: float, now_s: float) -> float:
    """Give the seconds of work that a newcomer due at `deadline_s` may bring; negative is none."""
    before_s = sum(claim.work_s for claim in claims if claim.deadline_s <= deadline_s)
    later = (slack for due_s, slack in slacks(claims, now_s) if due_s > deadline_s)
    return min(deadline_s - now_s - before_s, *later, math.inf)
