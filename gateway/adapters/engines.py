"""Reads what each engine can do from the `tryon:` section of the models' YAML files."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.domain.options import Category, Engine
from gateway.errors import Misconfigured


class _Section(BaseModel):
    """The `tryon:` section of a model's configuration."""

    model_config = ConfigDict(extra="ignore")

    engine: str
    model: str | None = None
    options: list[str] = []
    categories: Annotated[list[Category], Field(min_length=1)]
    licence: str
    commercial_use: bool


def load_engines(folder: Path) -> dict[str, Engine]:
    """Every engine the folder describes, by name; a file without a `tryon:` section is none.

    Raises Misconfigured naming the file and the key that is wrong.
    """
    engines = [
        engine for file in sorted(folder.glob("*.yaml")) if (engine := _engine(file)) is not None
    ]
    if not engines:
        raise Misconfigured("no engine is configured: no YAML file with a tryon section")
    return {engine.name: engine for engine in engines}


def _engine(file: Path) -> Engine | None:
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise Misconfigured(f"{file.name}: not valid YAML") from error
    if not isinstance(content, dict) or "tryon" not in content:
        return None
    try:
        section = _Section.model_validate(content["tryon"])
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise Misconfigured(f"{file.name}: tryon.{key}: {fault['msg']}") from None
    return Engine(
        name=section.engine,
        model=section.model or file.stem,
        options=frozenset(section.options),
        categories=tuple(section.categories),
        licence=section.licence,
        commercial_use=section.commercial_use,
    )
