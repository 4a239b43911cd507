"""Reads the registry: the models' YAML files, which say what each can do and on what terms.

A file with a `tryon:` section describes an engine that dresses people, one with an `analysis:`
section an engine that understands photos of them, one with a `bodies:` section an engine that draws
new people; other files are none of the gateway's.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import ConfigDict, Field, JsonValue

from gateway.domain.options import Category, Engine, Patience, Registration, Registry
from gateway.domain.sections import Section, checked
from gateway.domain.terms import shown_path, terms_of
from gateway.errors.kinds import Misconfigured

Number = int | float
Pixels = Annotated[int, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class _Offer(Section):
    """What an engine honours."""

    engine: str
    model: str | None = None
    options: frozenset[str] = frozenset()
    ranges: dict[str, tuple[Number, Number]] = Field(default_factory=dict)
    multiples: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    defaults: dict[str, JsonValue] = Field(default_factory=dict)
    presets: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)

    def names(self) -> dict[str, tuple[str, ...]]:
        """The names that options may have whose values are names."""
        return {}


class _GarmentOffer(_Offer):
    """What an engine honours that knows garments."""

    categories: Annotated[list[Category], Field(min_length=1)]

    def names(self) -> dict[str, tuple[str, ...]]:
        presets = {"preset": tuple(self.presets)} if self.presets else {}
        return {"category": tuple(self.categories), **presets}


class _BodiesOffer(_Offer):
    """What an engine honours that draws people."""

    choices: dict[str, Names]

    def names(self) -> dict[str, tuple[str, ...]]:
        return self.choices


class _Patience(Section):
    """The section `patience`: seconds."""

    deadline_s: Annotated[float, Field(gt=0)]
    first_frame_s: Annotated[float, Field(gt=0)]
    stall_s: Annotated[float, Field(gt=0)]
    recovery_s: Annotated[float, Field(gt=0)] | None = None


class _Registry(Section):
    """The section `registry`: what no other section says; it is nobody else's.

    A worker that `warms_garments` takes a garment alone, to be ready for who wears it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: tuple[str, ...] = ()
    resolutions_px: tuple[tuple[Pixels, Pixels], ...] = ()
    memory_bytes: dict[str, Bytes] = Field(default_factory=dict)
    warms_garments: bool = False


class _Serving(Section):
    """What TorchServe reads of the file, as far as it changes what may be asked."""

    shares_steps: bool = Field(default=False, alias="continuousBatching")


class _Handler(Section):
    """What the worker's section says of the model itself."""

    version: str | None = None
    model_path: str | None = None


_OFFERS: Mapping[str, type[_Offer]] = {
    "tryon": _GarmentOffer,
    "analysis": _GarmentOffer,
    "bodies": _BodiesOffer,
}


def load_registry(folder: Path, remotes: Collection[str] = ()) -> Registry:
    """Every engine the folder describes: at least one that dresses people, one of the others.

    Of engines elsewhere only those whose provider is among `remotes`. Raises Misconfigured naming
    the file and the key that is wrong.
    """
    every = _engines(folder, "tryon")
    engines = [one for one in every if not one.is_remote or one.model in remotes]
    if not engines:
        raise Misconfigured("no engine is configured: no YAML file with a tryon section")
    by_name = {engine.name: engine for engine in engines}
    return Registry(by_name, _single(folder, "analysis"), _single(folder, "bodies"))


def _single(folder: Path, service: str) -> Engine | None:
    engines = list(_engines(folder, service))
    if len(engines) > 1:
        models = ", ".join(engine.model for engine in engines)
        raise Misconfigured(f"more than one model with a section {service}: {models}")
    return engines[0] if engines else None


def _engines(folder: Path, service: str) -> Iterator[Engine]:
    for file in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(file.read_text("utf-8"))
        except yaml.YAMLError as error:
            raise Misconfigured(f"{file.name}: not valid YAML") from error
        if isinstance(content, dict) and service in content:
            yield _engine(file, content, service)


def _engine(file: Path, content: dict[str, Any], service: str) -> Engine:
    offer = checked(_OFFERS[service], content[service], f"{file.name}: {service}")
    told = checked(_Registry, content.get("registry", {}), f"{file.name}: registry")
    patience = None
    if "patience" in content:
        waits = checked(_Patience, content["patience"], f"{file.name}: patience")
        patience = Patience(**waits.model_dump())
    return Engine(
        name=offer.engine,
        model=offer.model or str(content.get("remote", file.stem)),
        options=offer.options,
        terms=terms_of(content, service, file.name),
        choices=offer.names(),
        ranges=offer.ranges,
        multiples=offer.multiples,
        defaults=offer.defaults,
        presets=offer.presets,
        shares_steps=checked(_Serving, content, file.name).shares_steps,
        warms_garments=told.warms_garments,
        patience=patience,
        is_remote="remote" in content,
        registration=_registration(file, content, told),
    )


def _registration(file: Path, content: dict[str, Any], told: _Registry) -> Registration:
    handler = checked(_Handler, content.get("handler", {}), f"{file.name}: handler")
    return Registration(
        version=handler.version,
        path=shown_path(handler.model_path),
        inputs=told.inputs,
        resolutions_px=told.resolutions_px,
        memory_bytes=told.memory_bytes,
    )
