"""Reads what each engine can do from the models' YAML files.

A file with a `tryon:` section describes an engine that dresses people, one with an `analysis:`
section an engine that understands photos of them; other files are none of the gateway's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from gateway.domain.options import Category, Engine, Part, Patience
from gateway.errors import Misconfigured

_BUNDLED: Final = "mediapipe"
Number = int | float
Service = Literal["tryon", "analysis"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Offer(_Section):
    """What an engine honours."""

    engine: str
    model: str | None = None
    options: list[str] = []
    categories: Annotated[list[Category], Field(min_length=1)]
    ranges: dict[str, tuple[Number, Number]] = {}
    defaults: dict[str, JsonValue] = {}
    licence: str
    commercial_use: bool


class _Patience(_Section):
    """The section `patience`: seconds."""

    deadline_s: Annotated[float, Field(gt=0)]
    first_frame_s: Annotated[float, Field(gt=0)]
    stall_s: Annotated[float, Field(gt=0)]


class _Terms(_Section):
    """On what terms a part may be used; its weights lie at `path`, or came with the package."""

    path: str = ""
    licence: str
    commercial_use: bool


class _Part(_Section):
    """One part of the understanding of a person."""

    kind: str | None = None
    weights: _Terms | None = None


def load_engines(folder: Path) -> dict[str, Engine]:
    """Every engine the folder describes that dresses people, by name.

    Raises Misconfigured naming the file and the key that is wrong.
    """
    engines = list(_engines(folder, "tryon"))
    if not engines:
        raise Misconfigured("no engine is configured: no YAML file with a tryon section")
    return {engine.name: engine for engine in engines}


def load_analyser(folder: Path) -> Engine | None:
    """The engine that understands photos of people, if the folder describes one.

    Raises Misconfigured naming the file and the key that is wrong, or for more than one.
    """
    engines = list(_engines(folder, "analysis"))
    if len(engines) > 1:
        models = ", ".join(engine.model for engine in engines)
        raise Misconfigured(f"more than one model with an analysis section: {models}")
    return engines[0] if engines else None


def _engines(folder: Path, service: Service) -> Iterator[Engine]:
    for file in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(file.read_text("utf-8"))
        except yaml.YAMLError as error:
            raise Misconfigured(f"{file.name}: not valid YAML") from error
        if isinstance(content, dict) and service in content:
            yield _engine(file, content, service)


def _engine(file: Path, content: dict[str, Any], service: Service) -> Engine:
    offer = _checked(_Offer, content[service], f"{file.name}: {service}")
    patience = None
    if "patience" in content:
        waits = _checked(_Patience, content["patience"], f"{file.name}: patience")
        patience = Patience(waits.deadline_s, waits.first_frame_s, waits.stall_s)
    return Engine(
        name=offer.engine,
        model=offer.model or file.stem,
        options=frozenset(offer.options),
        categories=tuple(offer.categories),
        licence=offer.licence,
        commercial_use=offer.commercial_use,
        ranges=offer.ranges,
        defaults=offer.defaults,
        parts=tuple(_parts(file, content.get("handler"))),
        patience=patience,
    )


def _parts(file: Path, handler: object) -> Iterator[Part]:
    """The parts of `handler.understanding`: those with weights, and the bundled one if needed."""
    understanding = handler.get("understanding") if isinstance(handler, dict) else None
    if not isinstance(understanding, dict):
        return
    where = f"{file.name}: handler.understanding"
    named = {name: part for name, part in understanding.items() if isinstance(part, dict)}
    parts = {name: _checked(_Part, part, f"{where}.{name}") for name, part in named.items()}
    for name, part in parts.items():
        if part.weights is not None and part.weights.path:
            terms = part.weights
            yield Part(name, part.kind or name, terms.licence, terms.commercial_use)
    if "landmarks" in named and any(p.weights and not p.weights.path for p in parts.values()):
        terms = _checked(_Terms, named["landmarks"], f"{where}.landmarks")
        yield Part("landmarks", _BUNDLED, terms.licence, terms.commercial_use)


M = TypeVar("M", bound=BaseModel)


def _checked(kind: type[M], section: object, where: str) -> M:
    try:
        return kind.model_validate(section)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise Misconfigured(f"{where}.{key}: {fault['msg']}") from None
