"""What the deployment's own engines offer, in the document: their names, and what they honour.

Requests are read by schemas that know every option, so that whoever asks an engine for what it
cannot do is told what it can. Who reads the document is told before.
"""

from typing import Any, Final

from gateway.domain.options import HINTS, NEUTRAL, Engine, Registry

_CHOOSE: Final = ("TryOnOptions", "TryOnFields", "TryOnForm", "GarmentFields", "GarmentForm")
_NULL: Final = {"type": "null"}


def document_offers(schemas: dict[str, Any], registry: Registry) -> None:
    """Narrow the schemas of requests to what there is."""
    for name in _CHOOSE:
        field = schemas[name]["properties"]["engine"]
        choice = {"type": "string", "enum": sorted(registry.engines)}
        _replace(field, choice)
    for name, engine in (("PersonOptions", registry.analyser), ("BodiesBody", registry.drawer)):
        if engine is not None:
            _narrow(schemas[name]["properties"], engine)


def _replace(field: dict[str, Any], choice: dict[str, Any]) -> None:
    """Let a field be one of these, or null where it could be before."""
    if "anyOf" in field:
        field["anyOf"] = [choice, _NULL]
    else:
        field.pop("pattern", None)
        field.update(choice)


def _narrow(fields: dict[str, Any], engine: Engine) -> None:
    """Leave of options that may be null what the engine honours, or need not."""
    for name, field in fields.items():
        is_optional = _NULL in field.get("anyOf", ())
        if is_optional and name not in engine.honoured | HINTS:
            neutral = [{"const": NEUTRAL[name]}] if name in NEUTRAL else []
            field["anyOf"] = [*neutral, _NULL]
