"""Values as they are told: numbers and truths, in JSON and in forms; one of two fields."""

from typing import Annotated, Final

from pydantic import BeforeValidator, JsonValue
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError


class Said(str):
    """A field of a form: what is a number or a truth elsewhere is text there."""

    __slots__ = ()


def _number(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and not isinstance(value, Said)):
        raise PydanticCustomError("number", "must be a number")
    return value


def _flag(value: object) -> object:
    if not isinstance(value, bool | Said):
        raise PydanticCustomError("flag", "must be true or false")
    return value


NUMBER: Final = BeforeValidator(_number)
"""Takes text for a number in forms alone, and a truth nowhere."""

Flag = Annotated[bool, BeforeValidator(_flag)]


def whole(value: object) -> object:
    """The number 40.0 is whole, in JSON as in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def one_of(first: tuple[str, str], second: tuple[str, str], *firsts: str) -> JsonDict:
    """What a schema says of two fields, each by name and type, of which exactly one is given.

    `firsts` are fields that belong to the first, and are not given with the second.
    """
    (one, kind), (other, other_kind) = first, second
    nulls: JsonDict = {name: {"type": "null"} for name in (one, *firsts)}
    ways: list[JsonValue] = [
        {"required": [one], "properties": {one: {"type": kind}, other: {"type": "null"}}},
        {"required": [other], "properties": {other: {"type": other_kind}, **nulls}},
    ]
    return {"oneOf": ways}
