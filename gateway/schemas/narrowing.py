"""A request's schema, narrowed to what the deployment's own engine offers.

So that every wrong field is named at once, and the API's document shows the very names, ranges and
defaults that hold.
"""

from copy import copy
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from gateway.domain.options import Engine

M = TypeVar("M", bound=BaseModel)


def narrowed(kind: type[M], engine: Engine) -> type[M]:
    """`kind` under its own name, whose fields know the engine's ranges, choices and defaults."""
    offered = engine.ranges.keys() | engine.choices.keys() | engine.defaults.keys()
    fields: dict[str, Any] = {
        name: (_annotation(field, name, engine), _field(field, name, engine))
        for name, field in kind.model_fields.items()
        if name in offered
    }
    return create_model(kind.__name__, __base__=kind, __doc__=kind.__doc__, **fields)


def _field(field: FieldInfo, name: str, engine: Engine) -> FieldInfo:
    made = copy(field)
    made.default = engine.defaults.get(name, field.default)
    return made


def _annotation(field: FieldInfo, name: str, engine: Engine) -> Any:  # noqa: ANN401  a type
    if name in engine.choices:
        names: Any = Literal.__getitem__(engine.choices[name])
        return names | None
    if name in engine.ranges:
        low, high = engine.ranges[name]
        return Annotated[
            field.annotation, Field(ge=low, le=high, multiple_of=engine.multiples.get(name))
        ]
    return field.annotation
