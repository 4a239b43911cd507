"""One try-on as the worker understands it, read strictly: what is not understood is refused.

A field that is unknown, missing, of the wrong type or outside its range raises BadParameters
whose details list every offending field, so that a caller mends them all at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from handlers.errors import BadParameters
from handlers.settings import Offer

FORMATS: Final = ("jpeg", "png", "webp")

_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "width_px": (1, 16384),
    "height_px": (1, 16384),
    "seed": (0, 2**63 - 1),
}


@dataclass(frozen=True, slots=True)
class Params:
    """The options of one try-on; a size of None leaves it to the engine."""

    category: str
    output_format: str
    width_px: int | None = None
    height_px: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class TryOnRequest:
    """Encoded pictures and options; `mask` is white where the person may be changed."""

    params: Params
    person_image: bytes
    garment_image: bytes
    mask: bytes | None = None


def read_params(raw: Mapping[str, Any], offer: Offer) -> Params:
    """Read the options that `offer` honours; raises BadParameters naming each wrong field."""
    faults = {str(name): fault for name in raw if (fault := _fault(name, raw[name], offer))}
    faults |= {name: "missing" for name in ("category", "output_format") if name not in raw}
    if faults:
        raise BadParameters("The try-on's parameters are not valid.", {"fields": faults})
    return Params(**raw)


def _fault(name: str, value: object, offer: Offer) -> str | None:
    if name not in _RANGES and name not in ("category", "output_format"):
        return "unknown field"
    if name not in offer.options:
        return f"the {offer.engine} engine cannot honour this option"
    if name == "category":
        return _choice_fault(value, offer.categories)
    if name == "output_format":
        return _choice_fault(value, FORMATS)
    return _number_fault(value, *_RANGES[name])


def _choice_fault(value: object, allowed: tuple[str, ...]) -> str | None:
    return None if value in allowed else f"must be one of {', '.join(allowed)}"


def _number_fault(value: object, low: int, high: int) -> str | None:
    if type(value) is not int:
        return "must be a whole number"
    return None if low <= value <= high else f"must be from {low} to {high}"
