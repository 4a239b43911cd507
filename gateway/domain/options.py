"""Which engine serves a request, and whether it can honour what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from gateway.errors import InvalidInput

Given = Mapping[str, JsonValue]


class Category(StrEnum):
    """What the garment covers."""

    UPPER_BODY = "upper_body"
    LOWER_BODY = "lower_body"
    DRESSES = "dresses"


class OutputFormat(StrEnum):
    """How the result is encoded."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


class Quality(StrEnum):
    """A preset of steps: `fast` for a preview, `quality` for the final picture."""

    FAST = "fast"
    QUALITY = "quality"


HINTS: Final = frozenset({"garment_description"})
"""Options every engine accepts; one that makes no use of them says so in a warning."""

ALWAYS: Final = frozenset({"category", "output_format"})
"""Options every engine honours by contract."""

NEUTRAL: Final[Given] = MappingProxyType({"num_samples": 1, "auto_crop": False})
"""Values that ask for nothing of an engine without the option, and so can be honoured by any."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an engine may take, in seconds: to the end, to its first frame, between two."""

    deadline_s: float
    first_frame_s: float
    stall_s: float


@dataclass(frozen=True, slots=True)
class Part:
    """A model within an engine, and on what terms its weights may be used."""

    part: str
    model: str
    licence: str
    commercial_use: bool


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine can do, as its configuration file says.

    `ranges` are closed intervals of options that are numbers, `defaults` what the engine takes for
    options left out; `patience` None means the deployment's own.
    """

    name: str
    model: str
    options: frozenset[str]
    categories: tuple[Category, ...]
    licence: str
    commercial_use: bool
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    defaults: Given = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    patience: Patience | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent to the engine, and what the caller is told about the rest."""

    engine: Engine
    params: Given
    warnings: tuple[dict[str, JsonValue], ...]


def choose(engines: Mapping[str, Engine], wanted: str | None, default: str) -> Engine:
    """The engine asked for, or the deployment's default; raises InvalidInput for an unknown one."""
    engine = engines.get(wanted or default)
    if engine is None:
        raise InvalidInput.of(
            "engine", "there is no such engine", available=list[JsonValue](sorted(engines))
        )
    return engine


def plan(engine: Engine, given: Given, pictures: Collection[str] = ()) -> Plan:
    """Turn the options that were given into the engine's parameters.

    `pictures` names the pictures that are options of their own, such as a mask. Raises
    InvalidInput naming every option that the engine cannot honour, and what it can.
    """
    honoured = engine.options | ALWAYS
    asked = {n: v for n, v in given.items() if n in honoured or NEUTRAL.get(n) != v}
    named = {*asked, *pictures}
    faults = [_unsupported(name, engine) for name in sorted(named - honoured - HINTS)]
    faults += [fault for name in asked if (fault := _out_of_range(name, asked[name], engine))]
    if given["category"] not in engine.categories:
        faults.append(_fault("category", engine, [str(name) for name in engine.categories]))
    if faults:
        raise InvalidInput.many(faults)
    params = {name: value for name, value in asked.items() if name in honoured}
    unused = sorted(set(asked) & HINTS - engine.options)
    return Plan(engine, params, tuple(_unused(name, engine) for name in unused))


def _out_of_range(field: str, value: JsonValue, engine: Engine) -> dict[str, JsonValue] | None:
    if field not in engine.ranges or not isinstance(value, int | float):
        return None
    low, high = engine.ranges[field]
    if low <= value <= high:
        return None
    message = f"must be from {low:.15g} to {high:.15g} for the engine '{engine.name}'"
    return {
        "field": field,
        "message": message,
        "engine": engine.name,
        "minimum": low,
        "maximum": high,
    }


def _unsupported(field: str, engine: Engine) -> dict[str, JsonValue]:
    return _fault(field, engine, sorted(engine.options | ALWAYS))


def _fault(field: str, engine: Engine, supported: list[str]) -> dict[str, JsonValue]:
    message = f"the engine '{engine.name}' cannot honour this"
    return {
        "field": field,
        "message": message,
        "engine": engine.name,
        "supported": list[JsonValue](supported),
    }


def _unused(name: str, engine: Engine) -> dict[str, JsonValue]:
    return {"code": f"{name}_unused", "message": f"The engine '{engine.name}' ignores {name}."}
