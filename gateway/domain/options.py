"""Which engine serves a request, and whether it can honour what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from gateway.domain import schedule
from gateway.domain.schedule import UNHURRIED, Schedule
from gateway.domain.terms import Part
from gateway.errors.kinds import InvalidInput

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


HINTS: Final = frozenset({"garment_description"})
"""Options every engine accepts; one that makes no use of them says so in a warning."""

ALWAYS: Final = frozenset({"output_format"})
"""Options every engine honours by contract."""

NEUTRAL: Final[Given] = MappingProxyType({"num_samples": 1, "auto_crop": False})
"""Values that ask for nothing of an engine without the option, and so can be honoured by any."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an engine may take, in seconds: to the end, to its first frame, between two.

    `recovery_s` is how long its worker may take to come back; None means the deployment's own.
    """

    deadline_s: float
    first_frame_s: float
    stall_s: float
    recovery_s: float | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """What is known of a model before it runs: its version, where its weights lie, what it needs.

    `path` is as configured, and None for a model without weights of its own; `memory_bytes` says
    of what, such as `weights` or a whole `worker`.
    """

    version: str | None = None
    path: str | None = None
    inputs: tuple[str, ...] = ()
    resolutions_px: tuple[tuple[int, int], ...] = ()
    memory_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine can do, as its configuration file says.

    `terms` are its own and those of the models within it, in this order. `choices` are the names
    that options may have whose values are names, `ranges` closed intervals of options that are
    numbers, `multiples` what their values must be multiples of, `defaults` what the engine takes
    for options left out, `presets` what each name of the option `preset` stands for; `patience`
    None means the deployment's own. One that `shares_steps` schedules its requests, one that
    `warms_garments` may be shown a garment before anybody wears it. One that `is_remote` is served
    by somebody else.
    """

    name: str
    model: str
    options: frozenset[str]
    terms: tuple[Part, ...]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)
    defaults: Given = field(default_factory=dict)
    presets: Mapping[str, Given] = field(default_factory=dict)
    shares_steps: bool = False
    warms_garments: bool = False
    is_remote: bool = False
    patience: Patience | None = None
    registration: Registration = field(default_factory=Registration)

    @property
    def licence(self) -> str:
        """Its own licence, whatever those of its parts."""
        return self.terms[0].licence

    @property
    def commercial_use(self) -> bool:
        """Whether it is for commercial use, all of its parts included."""
        return all(one.commercial_use for one in self.terms)

    @property
    def honoured(self) -> frozenset[str]:
        """Every option it makes use of."""
        return self.options | self.choices.keys() | ALWAYS | self.scheduling

    @property
    def scheduling(self) -> frozenset[str]:
        """The options of a schedule that it honours: all, or none."""
        return schedule.OPTIONS if self.shares_steps else frozenset()

    def is_preview(self, given: Given) -> bool:
        """Whether it takes no more steps, of all samples, than its quickest preset."""
        preset = self.presets.get(str(given.get("preset")), {})
        told = {"num_samples": 1, **self.defaults, **preset, **given}
        each, samples = told.get("steps"), told["num_samples"]
        quick = [one.get("steps") for one in self.presets.values()]
        most = min((steps for steps in quick if isinstance(steps, int)), default=0)
        if not isinstance(each, int) or not isinstance(samples, int):
            return False
        return each * samples <= most


@dataclass(frozen=True, slots=True)
class Registry:
    """Every engine that is described: those that dress people by name, who analyses, who draws."""

    engines: Mapping[str, Engine]
    analyser: Engine | None
    drawer: Engine | None

    @property
    def every(self) -> tuple[Engine, ...]:
        """All of them."""
        singles = (self.analyser, self.drawer)
        return (*self.engines.values(), *(one for one in singles if one is not None))

    @property
    def here(self) -> tuple[Engine, ...]:
        """All that are served by this deployment."""
        return tuple(one for one in self.every if not one.is_remote)

    @property
    def shown(self) -> frozenset[str]:
        """The models that are shown pictures."""
        return frozenset(one.model for one in self.every if one is not self.drawer)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent to the engine, how urgent it is, and what the caller is told about the rest."""

    engine: Engine
    params: Given
    warnings: tuple[dict[str, JsonValue], ...]
    schedule: Schedule = UNHURRIED


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
    honoured = engine.honoured
    asked = {n: v for n, v in given.items() if n in honoured or NEUTRAL.get(n) != v}
    named = {*asked, *pictures}
    faults = [_unsupported(name, engine) for name in sorted(named - honoured - HINTS)]
    faults += [fault for name in asked if (fault := _out_of_range(name, asked[name], engine))]
    faults += [
        _fault(name, engine, list(names))
        for name, names in engine.choices.items()
        if name in asked and asked[name] not in names
    ]
    if faults:
        raise InvalidInput.many(faults)
    params = {name: value for name, value in asked.items() if name in honoured - schedule.OPTIONS}
    unused = sorted(set(asked) & HINTS - engine.options)
    warnings = tuple(_unused(name, engine) for name in unused)
    return Plan(engine, params, warnings, Schedule.of(asked))


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
    return _fault(field, engine, sorted(engine.honoured))


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
