"""Which engine serves a request, and whether it can honour what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

MASK: Final = "mask"
"""The option that is an image of its own."""

NEUTRAL: Final[Given] = MappingProxyType({"num_samples": 1, "auto_crop": False})
"""Values that ask for nothing, and so can be honoured by any engine."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine can do, as its configuration file says."""

    name: str
    model: str
    options: frozenset[str]
    categories: tuple[Category, ...]
    licence: str
    commercial_use: bool


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


def plan(engine: Engine, given: Given, *, has_mask: bool) -> Plan:
    """Turn the options that were given into the engine's parameters.

    Raises InvalidInput naming every option the engine cannot honour, and what it can.
    """
    honoured = engine.options | ALWAYS
    asked = {name: value for name, value in given.items() if NEUTRAL.get(name) != value}
    named = set(asked) | ({MASK} if has_mask else set())
    faults = [_unsupported(name, engine) for name in sorted(named - honoured - HINTS)]
    if given["category"] not in engine.categories:
        faults.append(_fault("category", engine, [str(name) for name in engine.categories]))
    if faults:
        raise InvalidInput.many(faults)
    params = {name: value for name, value in asked.items() if name in honoured}
    unused = sorted(set(asked) & HINTS - engine.options)
    return Plan(engine, params, tuple(_unused(name, engine) for name in unused))


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
