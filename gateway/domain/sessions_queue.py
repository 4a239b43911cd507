"""Who goes first, and what becomes of an item that failed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.domain.sessions import Fault, Kind
from gateway.errors.codes import ErrorCode
from gateway.errors.engines import RemoteEngineAway
from gateway.errors.kinds import NotKept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.errors.kinds import GatewayError

HEAD_START_S: Final[Mapping[Kind, float]] = MappingProxyType(
    {Kind.PREVIEW: 60.0, Kind.STANDARD: 0.0, Kind.BATCH: -60.0}
)
"""Seconds an item counts as older than it is. As every item ages alike, nobody starves: a batch's
first item goes before anything that comes two minutes after it, a preview included."""

ITEM_SPACING_S: Final = 1.0
"""An item of a batch stands this much behind the one before it, so that batches interleave."""


def rank(kind: Kind, created_at: float, position: int) -> float:
    """Where an item stands in the queue (Unix seconds); the smallest goes first."""
    return created_at - HEAD_START_S[kind] + ITEM_SPACING_S * position


WAITS: Final = frozenset({ErrorCode.BUSY, ErrorCode.MODEL_NOT_LOADED, ErrorCode.STORAGE,
                          ErrorCode.DATABASE})  # fmt: skip
"""Nothing is wrong with the item: it waits, and no try is counted, unless work was done for it.
So it does for an engine elsewhere that is away."""

PASSING: Final = frozenset({ErrorCode.OUT_OF_MEMORY, ErrorCode.TIMED_OUT, ErrorCode.INTERNAL,
                            ErrorCode.REMOTE_ENGINE})  # fmt: skip
"""Another try may go better, but not for ever."""


LONGEST_AHEAD_S: Final = 240.0
"""No lease holds for longer, and no item waits for longer, whatever a deployment is set to."""

HORIZON_S: Final = LONGEST_AHEAD_S + 60.0
"""What lies further ahead was written by a clock that has been put back since. It is the same for
every gateway: one that went by its own lease would take what another holds under a longer one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When an item that failed is tried again: pauses double from the first to the longest."""

    max_tries: int
    first_s: float
    longest_s: float


def is_tried(error: GatewayError) -> bool:
    """Whether a failure counts as a try: as the engine had done its work, or was at fault."""
    waits = error.code in WAITS or isinstance(error, RemoteEngineAway)
    return isinstance(error, NotKept) or not waits


def pause_s(error: GatewayError, tries: int, bounces: int, patience: Patience) -> float | None:
    """Seconds until an item is tried again that failed so; None when it has failed for good.

    `bounces` is how often in a row it was given back before. An engine elsewhere that told when to
    come back is not asked before, unless that were after the longest pause.
    """
    is_over = tries >= patience.max_tries and is_tried(error)
    if error.code not in WAITS | PASSING or is_over:
        return None
    doubled: float = patience.first_s * 2.0 ** min(bounces, 16)
    return min(max(doubled, _told_s(error)), patience.longest_s)


def _told_s(error: GatewayError) -> float:
    told = error.headers.get("Retry-After", "")
    is_plain = isinstance(error, RemoteEngineAway) and told.isascii() and told.isdecimal()
    return float(told) if is_plain else 0.0


def given_up(tries: int) -> Fault:
    """What is told of an item whose every try took its runner along."""
    return Fault(
        ErrorCode.INFERENCE_FAILED,
        "The engine did not survive this request.",
        {"reason": "given_up", "tries": tries},
    )


def estimate_s(mean_s: float | None, items: int, abreast: int) -> float | None:
    """Seconds until so many items are done, `abreast` at a time; None where none was ever done."""
    if mean_s is None:
        return None
    return round(mean_s * math.ceil(items / max(abreast, 1)), 1)
