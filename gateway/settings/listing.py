"""Every setting as `config/gateway.example.env` lists it: what it does, its unit, its value."""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, SecretStr

from gateway.domain.redaction import MASK, Redactor
from gateway.settings.tree import PREFIX, Settings

_UNITS: Final = {"_s": "seconds", "_bytes": "bytes", "_px": "pixels"}
"""The units that names end with."""
_NO_SECRETS: Final = Redactor()


def in_force(settings: Settings) -> str:
    """The settings of a deployment, secrets and what holds one masked."""
    return _listed(settings, MASK, Redactor(settings.secrets()))


def defaults() -> str:
    """What holds where nothing is set; secrets have no default that anybody should use."""
    return _listed(Settings.model_construct(), "", _NO_SECRETS)


def _listed(settings: Settings, secret: str, redactor: Redactor) -> str:
    return "\n".join(_section(settings, PREFIX, secret, redactor)) + "\n"


def _section(section: BaseModel, place: str, secret: str, redactor: Redactor) -> Iterator[str]:
    """The section's own settings, then the sections within it."""
    within = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            within[f"{place}{name.upper()}__"] = value
            continue
        unit = next((f"; {unit}" for end, unit in _UNITS.items() if name.endswith(end)), "")
        yield f"# {field.description}{unit}"
        yield f"{place}{name.upper()}={redactor.text(_spelled(value, secret))}"
    for deeper, value in within.items():
        title = deeper.removeprefix(PREFIX).removesuffix("__").replace("__", ".").lower()
        yield f"\n# -- {title}: {(value.__doc__ or '').partition(chr(10))[0]}"
        yield from _section(value, deeper, secret, redactor)


def _spelled(value: object, secret: str) -> str:
    """A value as the environment spells it; of a secret, whether it is there."""
    match value:
        case None:
            return ""
        case SecretStr():
            return secret if value.get_secret_value() else ""
        case tuple():
            return ",".join(map(str, value))
        case bool():
            return str(value).lower()
        case _:
            return str(value)
