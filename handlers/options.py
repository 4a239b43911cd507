"""Options read strictly, by the types of a dataclass and the ranges of an engine's offer.

A field that is unknown, missing, of the wrong type or outside its range raises BadParameters
whose details list every offending field, so that a caller mends them all at once.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args, get_type_hints

from handlers.errors import BadParameters
from handlers.settings import BadSetting, Offer

Choice: TypeAlias = Annotated[str, "one of the names that an offer lists"]
"""An option whose values are the names that an engine's offer lists, and nothing else."""

FORMATS: Final = ("jpeg", "png", "webp")
PICTURES: Final = ("mask", "densepose")
"""Options that are pictures of their own."""

_MAX_TEXT_CHARS: Final = 500
_NUMBERS: Final[Mapping[type, str]] = MappingProxyType(
    {int: "must be a whole number", float: "must be a number"}
)

P = TypeVar("P")


def read_options(kind: type[P], raw: Mapping[str, Any], offer: Offer) -> P:
    """Read `kind`, a dataclass of options, as far as `offer` honours them.

    An option that is left out takes what the preset says, or the offer's default, where there is
    one. Raises BadParameters naming each wrong field.
    """
    if faults := option_faults(kind, raw, offer):
        raise BadParameters("The parameters are not valid.", {"fields": faults})
    return kind(**offer.filled(raw))


def option_faults(kind: type, raw: Mapping[str, Any], offer: Offer) -> dict[str, str]:
    """Say by name what is wrong with options for `kind`, as far as `offer` honours them."""
    types = _types(kind)
    faults = {str(name): fault for name in raw if (fault := _fault(types, name, raw[name], offer))}
    return faults | {name: "missing" for name in _required(kind) if name not in raw}


def check_offer(kind: type, offer: Offer, path: str) -> None:
    """Raise BadSetting, `path` being the section's name, for an offer that cannot be kept.

    Options must be known to `kind` and hold what it requires, every one that is a number has a
    range and every choice its names, ranges, names, multiples and defaults belong to options, and a
    default is a value that may be asked for, and so is what a preset stands for.
    """
    types = _types(kind)
    if missing := sorted(set(_required(kind)) - set(offer.options)):
        raise BadSetting(f"{path}.options: {missing[0]} is missing")
    for name in offer.options:
        if name not in types and name not in PICTURES:
            raise BadSetting(f"{path}.options: there is no option {name}")
        if types.get(name) in _NUMBERS and name not in offer.ranges:
            raise BadSetting(f"{path}.ranges.{name}: missing")
    for name, (low, high) in offer.ranges.items():
        if types.get(name) not in _NUMBERS or low > high:
            raise BadSetting(f"{path}.ranges.{name}: not the range of an option")
    _check_names(types, offer, path)
    _check_grains(types, offer, path)
    values = {"defaults": offer.defaults}
    values |= {f"presets.{name}": one.options() for name, one in offer.named().items()}
    for where, given in values.items():
        for name, value in given.items():
            if fault := _fault(types, name, value, offer):
                raise BadSetting(f"{path}.{where}.{name}: {fault}")


def _check_names(types: Mapping[str, Any], offer: Offer, path: str) -> None:
    names = offer.names()
    for name in offer.options:
        if types.get(name) == Choice and not names.get(name):
            raise BadSetting(f"{path}.choices.{name}: missing")
    for name in names:
        if types.get(name) != Choice:
            raise BadSetting(f"{path}.choices.{name}: not a choice")


def _check_grains(types: Mapping[str, Any], offer: Offer, path: str) -> None:
    for name, grain in offer.grains().items():
        if types.get(name) is not int or grain < 1:
            raise BadSetting(f"{path}.multiples.{name}: not what an option is a multiple of")


def _types(kind: type) -> dict[str, type]:
    """Give each option's type, None apart."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        name: get_args(hint)[0] if NoneType in get_args(hint) else hint
        for name, hint in hints.items()
    }


def _required(kind: type) -> list[str]:
    return [field.name for field in fields(kind) if field.default is MISSING]


def _fault(types: Mapping[str, type], name: str, value: object, offer: Offer) -> str | None:
    if name not in types:
        return "unknown field"
    if name not in offer.options:
        return f"the {offer.engine} engine cannot honour this option"
    if name in (names := {**offer.names(), "output_format": FORMATS}):
        return _choice_fault(value, names[name])
    if types[name] in _NUMBERS:
        grain = offer.grains().get(name, 1)
        return _number_fault(types[name], value, offer.ranges[name], grain)
    return _flag_fault(value) if types[name] is bool else _text_fault(value)


def _choice_fault(value: object, allowed: tuple[str, ...]) -> str | None:
    return None if value in allowed else f"must be one of {', '.join(allowed)}"


def _number_fault(
    kind: type, value: object, allowed: tuple[float, float], grain: int
) -> str | None:
    if not isinstance(value, int | float) or type(value) not in (int, kind):
        return _NUMBERS[kind]
    low, high = allowed
    # Written so that a NaN, which no comparison holds for, is outside.
    if not low <= value <= high:
        return f"must be from {low:.15g} to {high:.15g}"
    return f"must be a multiple of {grain}" if grain > 1 and value % grain else None


def _flag_fault(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _text_fault(value: object) -> str | None:
    if isinstance(value, str) and len(value) <= _MAX_TEXT_CHARS:
        return None
    return f"must be a text of at most {_MAX_TEXT_CHARS} characters"
