"""The models of this package by name, and what the YAML of each must hold.

A model's settings are imported when they are asked for: packing one model needs no other's.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from handlers.options import check_offer
from handlers.request import BodiesParams, Params, PersonParams
from handlers.settings import (
    BadSetting,
    BodiesOffer,
    GarmentOffer,
    HandlerSettings,
    Offer,
    read,
)

_SETTINGS: Final[Mapping[str, str]] = {
    "geometric": "handlers.settings:GeometricSettings",
    "idm_vton": "handlers.diffusion.settings:IdmVtonSettings",
    "person": "handlers.understanding.settings:PersonSettings",
    "sdxl": "handlers.diffusion.sdxl_settings:SdxlSettings",
}
_SERVICES: Final[Mapping[str, tuple[type[Offer], type]]] = {
    "tryon": (GarmentOffer, Params),
    "analysis": (GarmentOffer, PersonParams),
    "bodies": (BodiesOffer, BodiesParams),
}


def read_settings(sections: Mapping[str, Any]) -> HandlerSettings:
    """Read the section `handler` as the settings of the model that its `name` names.

    A model from outside this package names its own: `handler.settings: its.module:ItsSettings`.
    Raises BadSetting naming the key that is wrong.
    """
    section = sections.get("handler")
    given = dict(section) if isinstance(section, Mapping) else {}
    name = given.get("name")
    where = given.pop("settings", _SETTINGS.get(name) if isinstance(name, str) else None)
    if not isinstance(where, str):
        raise BadSetting(f"handler.name: expected one of {', '.join(_SETTINGS)}, found {name!r}")
    module, _, kind = where.partition(":")
    try:
        named = getattr(import_module(module), kind)
    except (ImportError, AttributeError, ValueError) as fault:
        raise BadSetting(f"handler.settings: there is no {where}") from fault
    settings: HandlerSettings = read(named, given, "handler")
    return settings


def read_offer(sections: Mapping[str, Any]) -> Offer:
    """Read the one section that says what the model serves: `tryon`, `analysis` or `bodies`.

    Raises BadSetting naming the key that is wrong.
    """
    found = [name for name in _SERVICES if name in sections]
    if len(found) != 1:
        raise BadSetting(f"{' or '.join(_SERVICES)}: expected exactly one, found {len(found)}")
    kind, options = _SERVICES[found[0]]
    offer = read(kind, sections[found[0]], found[0])
    check_offer(options, offer, found[0])
    return offer
