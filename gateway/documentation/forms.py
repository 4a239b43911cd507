"""What forms, queries and headers can carry: no null, they leave out what is not there."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

REF: Final = "#/components/schemas/{model}"
_NULL: Final = {"type": "null"}


def form_schema(kind: type[BaseModel], files: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """The form: files, and every option either as a field or within the `options` part."""
    options = kind.model_json_schema(ref_template=REF)
    as_json = {
        "$ref": REF.format(model=kind.__name__),
        "description": "the fields below, as JSON",
    }
    return {
        "type": "object",
        "properties": {**files, "options": as_json} | _sendable_fields(options["properties"]),
        "required": list(required),
        "additionalProperties": False,
    }


def document_parameters(document: Mapping[str, Any]) -> None:
    """Have no parameter of an operation be null."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _sendable(parameter["schema"])


def _sendable_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _sendable(field) for name, field in fields.items()}


def _sendable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without its null, and without a choice where one is left."""
    ways = [way for way in schema.get("anyOf", ()) if way != _NULL]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(ways) == 1:
        return {**ways[0], **rest}
    return {**rest, "anyOf": ways} if ways else rest
