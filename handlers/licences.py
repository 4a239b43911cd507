"""Refuses to load what is not for commercial use, where nothing else may be.

`VTON_COMMERCIAL_ONLY` says so, to workers as to the gateway. A worker holds its own settings
against it: the model server can be told to load what the gateway would never ask.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from handlers.settings import BadSetting, HandlerSettings, Offer
from handlers.switches import is_on

VARIABLE: Final = "VTON_COMMERCIAL_ONLY"


class NotForCommercialUse(BadSetting):
    """A model, or one within it, is not for commercial use; named with its licence."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms something may be used; licence is its SPDX identifier."""

    what: str
    licence: str
    commercial_use: bool


def refuse_non_commercial(settings: HandlerSettings, offer: Offer) -> None:
    """Let a model be loaded.

    Raises NotForCommercialUse where `VTON_COMMERCIAL_ONLY` forbids it, BadSetting where that
    variable is neither true nor false.
    """
    if not is_on(VARIABLE):
        return
    for one in terms(settings, offer):
        if not one.commercial_use:
            told = f"{one.what} is under {one.licence}: not for commercial use"
            raise NotForCommercialUse(f"{told}, and {VARIABLE} is on")


def terms(settings: HandlerSettings, offer: Offer) -> Iterator[Terms]:
    """Give the terms of a model, then of every model within it that is used."""
    yield Terms(f"the model '{settings.name}'", offer.licence, offer.commercial_use)
    for path, section in _sections(settings, "handler"):
        # What has an empty path is not used; MediaPipe, which has none at all, always may be.
        if hasattr(section, "commercial_use") and getattr(section, "path", True):
            what = f"{path} of the model '{settings.name}'"
            yield Terms(what, section.licence, section.commercial_use)


def _sections(section: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  any settings
    for field in fields(section):
        value = getattr(section, field.name)
        if is_dataclass(value):
            yield f"{path}.{field.name}", value
            yield from _sections(value, f"{path}.{field.name}")
