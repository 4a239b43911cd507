"""The OpenAPI document: request bodies the framework cannot infer, and an example per error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway import __version__
from gateway.documentation.access import BODIES, document_access
from gateway.documentation.forms import REF, document_parameters, form_schema
from gateway.documentation.offers import document_offers
from gateway.domain.uploads import MEDIA_TYPES
from gateway.errors.kinds import (
    BadDimensions,
    BadFileName,
    Busy,
    ContentMismatch,
    GatewayError,
    InferenceFailed,
    Internal,
    InvalidInput,
    MalformedBody,
    ModelNotLoaded,
    NotDeployed,
    NotLicensed,
    OutOfMemory,
    SlowBody,
    StorageFailed,
    TimedOut,
    TooLarge,
    TooLate,
    TypeNotAllowed,
    Unfit,
)
from gateway.errors.limits import BudgetSpent
from gateway.schemas.answers import ErrorResponse
from gateway.schemas.batches import BatchBody
from gateway.schemas.recommendations import RecommendationBody
from gateway.schemas.requests import (
    EXAMPLE_PNG,
    BodiesBody,
    GarmentFields,
    PersonBody,
    PersonOptions,
    TryOnBody,
    TryOnFields,
)
from gateway.streams.events import MEDIA_TYPE as EVENTS
from gateway.streams.events import PreviewEvent, ProgressEvent
from gateway.streams.sessions import EVENT_MODELS

if TYPE_CHECKING:
    from gateway.resources import Resources

TITLE: Final = "vton-serve"
_EXAMPLE_ID: Final = "0b5c1f0e6a4a4c0e9f0d3f1b6f6d2a11"
_BINARY: Final = {"type": "string", "format": "binary"}
_PHOTO_TYPES: Final = ", ".join(MEDIA_TYPES)

BODY_ERRORS: Final = (
    MalformedBody,
    SlowBody,
    TooLarge,
    TypeNotAllowed,
    InvalidInput,
    Busy,
    StorageFailed,
)
"""What a route that reads a body and stores something may answer."""

PICTURE_ERRORS: Final = (ContentMismatch, BadFileName, BadDimensions)
"""What one that reads pictures may answer besides."""

ENGINE_ERRORS: Final = (
    Unfit,
    NotLicensed,
    InferenceFailed,
    ModelNotLoaded,
    NotDeployed,
    OutOfMemory,
    TooLate,
    TimedOut,
    BudgetSpent,
)
"""What one that asks an engine may answer besides."""

IMAGE: Final[dict[str, Any]] = {
    "description": "The picture.",
    "content": {media_type: {"schema": _BINARY} for media_type in MEDIA_TYPES},
}
TRYON_IMAGE: Final[dict[str, Any]] = {
    "description": (
        "The result; with `Accept: image/*` the picture itself, with `Accept: text/event-stream` "
        "events: `progress` (ProgressEvent), `preview` (PreviewEvent), `result` (TryOnResponse), "
        "`error` (ErrorResponse)."
    ),
    "content": {**IMAGE["content"], EVENTS: {"schema": {"type": "string"}}},
}
UPLOAD_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": _BINARY},
                "required": ["file"],
                "additionalProperties": False,
            },
            "encoding": {"file": {"contentType": _PHOTO_TYPES}},
        }
    },
}
TRYON_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"$ref": REF.format(model="TryOnForm")},
            "encoding": {
                "user_image": {"contentType": _PHOTO_TYPES},
                "garment_image": {"contentType": _PHOTO_TYPES},
                "mask": {"contentType": _PHOTO_TYPES},
                "densepose": {"contentType": _PHOTO_TYPES},
                "options": {"contentType": "application/json"},
            },
        },
        "application/json": {
            "schema": {"$ref": REF.format(model="TryOnBody")},
            "example": {
                "user_image": {"upload_id": "6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w"},
                "garment_image": {"base64": EXAMPLE_PNG, "media_type": "image/png"},
                "options": {"category": "upper_body", "output_format": "webp"},
            },
        },
    },
}

GARMENT_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"$ref": REF.format(model="GarmentForm")},
            "encoding": {
                "garment_image": {"contentType": _PHOTO_TYPES},
                "options": {"contentType": "application/json"},
            },
        },
    },
}
PERSON_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"$ref": REF.format(model="PersonForm")},
            "encoding": {
                "user_image": {"contentType": _PHOTO_TYPES},
                "options": {"contentType": "application/json"},
            },
        },
        "application/json": {
            "schema": {"$ref": REF.format(model="PersonBody")},
            "example": {
                "user_image": {"upload_id": "6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w"},
                "options": {"category": "upper_body"},
            },
        },
    },
}
BATCH_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": REF.format(model="BatchBody")},
            "example": {
                "people": [{"user_image": {"upload_id": "6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w"}}],
                "garments": [
                    {"garment_image": {"upload_id": "6921e2f0-W2n0pJq5T9uX1cV7bM3kLg"}},
                    {"garment_image": {"base64": EXAMPLE_PNG}, "category": "lower_body"},
                ],
                "options": {"output_format": "webp"},
            },
        },
    },
}
BODIES_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": REF.format(model="BodiesBody")},
            "example": {
                "count": 2,
                "height_cm": 172,
                "weight_kg": 68,
                "gender": "woman",
                "skin_tone": "medium",
                "seed": 7,
            },
        },
    },
}
_PERSON_FILE: Final = {"user_image": _BINARY | {"description": "photo of the person"}}
_GARMENT_FILE: Final = {"garment_image": _BINARY | {"description": "photo of the garment"}}
_TRYON_FILES: Final = {
    **_PERSON_FILE,
    **_GARMENT_FILE,
    "mask": _BINARY | {"description": "white where the picture may change"},
    "densepose": _BINARY | {"description": "the body's surface in DensePose's colours"},
}


def errors(*kinds: type[GatewayError]) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route and our own fault, each with an example, grouped by status."""
    grouped: dict[int | str, dict[str, Any]] = {}
    for kind in (*kinds, Internal):
        error = kind()
        answer = grouped.setdefault(
            error.status,
            {"model": ErrorResponse, "content": {"application/json": {"examples": {}}}},
        )
        answer["content"]["application/json"]["examples"][f"{error.code} {kind.__name__}"] = {
            "value": {
                "error_code": error.code,
                "message": error.message,
                "details": {},
                "request_id": _EXAMPLE_ID,
            }
        }
    for answer in grouped.values():
        answer["description"] = " or ".join(answer["content"]["application/json"]["examples"])
    return grouped


def install_openapi(app: FastAPI) -> None:
    """Let the app answer with a document that holds the bodies read by hand, too."""

    @cache
    def openapi() -> dict[str, Any]:
        return _document(app)

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document: dict[str, Any] = get_openapi(
        title=TITLE,
        version=__version__,
        summary="Virtual try-on: photos of a person and of a garment in, the person dressed out.",
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(_schemas(ProgressEvent) | _schemas(PreviewEvent))
    schemas.update(_schemas(BatchBody) | _schemas(RecommendationBody))
    for model in EVENT_MODELS:
        schemas.update(_schemas(model))
    schemas.update(_schemas(TryOnFields) | _schemas(GarmentFields))
    schemas.update(_schemas(TryOnBody) | _schemas(PersonBody) | _schemas(_bodies_body(app)))
    schemas["TryOnForm"] = form_schema(TryOnFields, _TRYON_FILES, "user_image")
    schemas["TryOnForm"]["oneOf"] = [
        {"required": [name]} for name in ("garment_image", "garment_id")
    ]
    schemas["TryOnForm"]["properties"]["options"]["$ref"] = REF.format(model="TryOnOptions")
    schemas["GarmentForm"] = form_schema(GarmentFields, _GARMENT_FILE, "garment_image", "category")
    schemas["PersonForm"] = form_schema(PersonOptions, _PERSON_FILE, "user_image")
    for body in BODIES:
        schemas.update(_schemas(body))
    resources: Resources | None = app.state.resources
    if resources is not None:
        document_offers(schemas, resources.registry)
    document_access(app, document)
    document_parameters(document)
    return document


def _bodies_body(app: FastAPI) -> type[BodiesBody]:
    """The schema that this deployment reads, or the widest one while it is not open."""
    resources: Resources | None = app.state.resources
    return BodiesBody if resources is None else resources.bodies_schema


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=REF)
    nested: dict[str, Any] = schema.pop("$defs", {})
    return nested | {model.__name__: schema}
