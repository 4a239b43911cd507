"""On what terms an engine and the models within it may be used, as its YAML says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Final

from pydantic import StringConstraints

from gateway.domain.sections import Section, checked

SERVICES: Final = ("tryon", "analysis", "bodies")
"""The sections that say what a model serves; a file has one of them at most."""

Licence = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.+()\- ]{1,128}$")]
"""An SPDX expression; LicenseRef-… for what SPDX does not list."""

_BUNDLED: Final = "mediapipe"
_SAFETY: Final = "safety_checker"


@dataclass(frozen=True, slots=True)
class Part:
    """A model within an engine, and on what terms its weights may be used.

    `path` is where its weights lie, as configured; None where others may not see it.
    """

    part: str
    model: str
    licence: str
    commercial_use: bool
    path: str | None = None

    def reason(self, engine: str) -> str:
        """Say why it keeps `engine` from commercial use."""
        whose = "" if self.part == "engine" else f" of the engine '{engine}'"
        return (
            f"the {self.part} '{self.model}'{whose} is under {self.licence}: not for commercial use"
        )


class Terms(Section):
    """Terms of use; weights lie at `path`, or came with the package."""

    path: str = ""
    licence: Licence
    commercial_use: bool


class _Understanding(Section):
    kind: str | None = None
    weights: Terms | None = None


class _Safety(Section):
    model_path: str
    licence: Licence
    commercial_use: bool


def terms_of(sections: Mapping[str, Any], service: str, file: str) -> tuple[Part, ...]:
    """The terms of an engine and of every model within it that is in use; the engine's come first.

    Raises Misconfigured naming the file and the key that is wrong.
    """
    offer = checked(Terms, sections[service], f"{file}: {service}")
    handler = sections.get("handler")
    own = handler if isinstance(handler, dict) else {}
    name = str(sections[service].get("engine"))
    first = Part("engine", name, offer.licence, offer.commercial_use)
    return (first, *_understanding(own, file), *_safety(own, file))


def shown_path(configured: object) -> str | None:
    """A configured path as others may see it: one that starts from the deployment's own folder."""
    if not isinstance(configured, str) or not configured:
        return None
    path = PurePath(configured)
    return None if path.is_absolute() or ".." in path.parts else configured


def _understanding(handler: Mapping[str, Any], file: str) -> Iterator[Part]:
    """The parts of `handler.understanding`: those with weights, and the bundled one if needed."""
    section = handler.get("understanding")
    if not isinstance(section, dict):
        return
    where = f"{file}: handler.understanding"
    named = {name: part for name, part in section.items() if isinstance(part, dict)}
    parts = {name: checked(_Understanding, part, f"{where}.{name}") for name, part in named.items()}
    for name, part in parts.items():
        if part.weights is not None and part.weights.path:
            terms = part.weights
            kind, path = part.kind or name, shown_path(terms.path)
            yield Part(name, kind, terms.licence, terms.commercial_use, path)
    if "landmarks" in named and any(p.weights and not p.weights.path for p in parts.values()):
        terms = checked(Terms, named["landmarks"], f"{where}.landmarks")
        yield Part("landmarks", _BUNDLED, terms.licence, terms.commercial_use)


def _safety(handler: Mapping[str, Any], file: str) -> Iterator[Part]:
    """Who looks at pictures before they leave, where somebody does."""
    if _SAFETY not in handler:
        return
    terms = checked(_Safety, handler[_SAFETY], f"{file}: handler.{_SAFETY}")
    if terms.model_path:
        path = shown_path(terms.model_path)
        yield Part(_SAFETY, _SAFETY, terms.licence, terms.commercial_use, path)
