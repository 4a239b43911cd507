"""What is answered over HTTP, as pydantic models: the client's side of the contract."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from gateway.domain.options import Category
from gateway.schemas.requests import Strict
from gateway.services.inference import Answer

Metadata = Annotated[dict[str, JsonValue], Field(description="what the engine says about its work")]


class Served(Strict):
    """What every answer of an engine says: who served it, on what terms, for how long."""

    request_id: str
    expires_at: datetime = Field(description="when the links stop working")
    engine: str
    licence: str = Field(description="of the engine, as SPDX names it")
    commercial_use: bool = Field(description="allowed by the engine and all models within")
    model_version: str | None
    cached: bool = Field(description="whether an identical request was reused, past or under way")
    processing_time_ms: float


def served(answer: Answer, request_id: str, expires_at_s: float) -> dict[str, Any]:
    """Give the fields of `Served` for an answer whose links end at a Unix time."""
    return {
        "request_id": request_id,
        "expires_at": datetime.fromtimestamp(expires_at_s, UTC),
        "engine": answer.engine.name,
        "licence": answer.engine.licence,
        "commercial_use": answer.engine.commercial_use,
        "model_version": answer.result.model_version,
        "cached": answer.is_cached,
        "processing_time_ms": answer.processing_time_ms,
    }


class FallbackResponse(Strict):
    """Which engine was asked and did not serve, and why."""

    engine: str
    reason: str = Field(description="not_deployed, not_ready, circuit_open, timed_out or failed")


class TryOnResponse(Served):
    """A finished try-on."""

    fallback_from: FallbackResponse | None = Field(
        default=None, description="the engine in whose place this one served, if any"
    )
    result_url: str = Field(description="signed link to the (first) picture")
    result_urls: list[str] = Field(description="signed links to every picture")
    metadata: Metadata

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "request_id": "0b5c1f0e6a4a4c0e9f0d3f1b6f6d2a11",
                "result_url": "/api/v1/results/6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w.jpg"
                "?expires=1763828464&signature=5f1c…",
                "result_urls": ["/api/v1/results/6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w.jpg?…"],
                "expires_at": "2026-11-22T16:21:04Z",
                "engine": "geometric",
                "licence": "Apache-2.0",
                "commercial_use": True,
                "model_version": "1.0",
                "cached": False,
                "processing_time_ms": 742.1,
                "metadata": {
                    "category": "upper_body",
                    "width_px": 768,
                    "height_px": 1024,
                    "kept_share": 0.81,
                    "confidence": 0.93,
                    "warnings": [],
                    "stage_ms": {"segmentation": 141.0, "pose": 96.0, "garment_transfer": 310.0},
                    "licence": "Apache-2.0",
                },
            }
        },
    )


class KeyPointResponse(Strict):
    """A joint that was found."""

    name: str
    x_px: float
    y_px: float
    confidence: float


class PersonResponse(Served):
    """What a photo says of a person.

    Pictures and joints lie on the photo turned upright, in `width_px` x `height_px`; that is its
    own size, unless it is larger than the deployment works with.
    """

    mask_url: str = Field(description="PNG: white where a try-on would repaint; may be edited")
    parse_map_url: str = Field(description="PNG: a label of `labels` per pixel")
    densepose_url: str = Field(description="PNG: the body's surface, for `densepose` of a try-on")
    width_px: int
    height_px: int
    keypoints: list[KeyPointResponse] = Field(description="the joints that were found")
    labels: dict[str, int] = Field(description="what the values of the parse map mean")
    warnings: list[JsonValue]
    models: list[JsonValue] = Field(description="which model answered, and on what terms")

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "request_id": "0b5c1f0e6a4a4c0e9f0d3f1b6f6d2a11",
                "mask_url": "/api/v1/results/6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w.png?…",
                "parse_map_url": "/api/v1/results/6921e2f0-W2n0pJq5T9uX1cV7bM3kLg.png?…",
                "densepose_url": "/api/v1/results/6921e2f0-aB4dE6fG8hJ0kL2mN4pQ6r.png?…",
                "expires_at": "2026-11-22T16:21:04Z",
                "width_px": 768,
                "height_px": 1024,
                "keypoints": [{"name": "nose", "x_px": 381.5, "y_px": 122.0, "confidence": 0.98}],
                "labels": {"background": 0, "upper_clothes": 4},
                "warnings": [],
                "models": [
                    {
                        "part": "pose",
                        "name": "mediapipe",
                        "licence": "Apache-2.0",
                        "commercial_use": True,
                    }
                ],
                "engine": "person",
                "licence": "Apache-2.0",
                "commercial_use": True,
                "model_version": "1.0.0",
                "cached": False,
                "processing_time_ms": 214.6,
            }
        },
    )


class BodyResponse(Strict):
    """A picture of somebody who does not exist."""

    url: str = Field(description="signed link to the picture")
    seed: int = Field(description="draws it again, alone")


class BodiesResponse(Served):
    """People, drawn."""

    images: list[BodyResponse]
    blocked: int = Field(description="pictures that the safety checker kept back")
    ai_generated: Literal[True] = Field(description="nobody was photographed")
    metadata: Metadata

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "request_id": "0b5c1f0e6a4a4c0e9f0d3f1b6f6d2a11",
                "images": [
                    {"url": "/api/v1/results/6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w.jpg?…", "seed": 7},
                    {"url": "/api/v1/results/6921e2f0-W2n0pJq5T9uX1cV7bM3kLg.jpg?…", "seed": 8},
                ],
                "blocked": 0,
                "expires_at": "2026-11-22T16:21:04Z",
                "ai_generated": True,
                "engine": "sdxl",
                "licence": "LicenseRef-CreativeML-OpenRAIL-PlusPlus-M",
                "commercial_use": True,
                "model_version": "1.0.0",
                "cached": False,
                "processing_time_ms": 11840.2,
                "metadata": {
                    "seeds": [7, 8],
                    "steps": 25,
                    "guidance_scale": 5.0,
                    "width_px": 832,
                    "height_px": 1216,
                    "safety_checked": True,
                    "ai_generated": True,
                },
            }
        },
    )


class UploadResponse(Strict):
    """A stored upload, ready to be referred to."""

    upload_id: str
    expires_at: datetime
    width_px: int
    height_px: int


class PartResponse(Strict):
    """A model within an engine, and on what terms its weights may be used."""

    part: str
    model: str
    licence: str
    commercial_use: bool
    path: str | None = Field(description="of its weights, below the deployment's folder")


class RegistrationResponse(Strict):
    """What is known of a model before it runs."""

    model: str = Field(description="the name the model server knows it by")
    version: str | None = Field(description="as configured; `model_version` is the one deployed")
    path: str | None = Field(description="of its weights, below the deployment's folder")
    inputs: list[str] = Field(description="the pictures that it takes")
    resolutions_px: list[tuple[int, int]] = Field(description="width and height it works in")
    memory_bytes: dict[str, int] = Field(description="what it needs, by what needs it")


class EngineResponse(Strict):
    """An engine and what it can do."""

    engine: str
    is_default: bool
    ready: bool = Field(description="whether it can be asked now")
    model_version: str | None
    categories: list[Category]
    choices: dict[str, list[str]] = Field(
        description="the names to choose from, of the options that have some"
    )
    options: list[str]
    ranges: dict[str, tuple[int | float, int | float]] = Field(
        description="from and to, of the options that are numbers"
    )
    multiples: dict[str, int] = Field(description="what the value of an option is a multiple of")
    defaults: dict[str, JsonValue] = Field(description="taken for options left out")
    presets: dict[str, dict[str, JsonValue]] = Field(
        description="what each name of the option `preset` stands for; other options outrank it"
    )
    deadline_s: float = Field(description="the longest time to an answer")
    licence: str = Field(description="of the engine, as SPDX names it")
    commercial_use: bool = Field(description="allowed by the engine and all models within")
    allowed: bool = Field(description="whether this deployment may use it")
    reason: str | None = Field(description="why it may not")
    parts: list[PartResponse] = Field(description="the models within, each on its own terms")
    registry: RegistrationResponse


class ModelsResponse(Strict):
    """Every engine of this deployment: those that dress, analyse photos, and draw people."""

    engines: list[EngineResponse]
    analysers: list[EngineResponse]
    bodies: list[EngineResponse]


class ComponentResponse(Strict):
    """The health of one part."""

    status: Literal["healthy", "degraded", "unhealthy"]
    details: dict[str, JsonValue]


class FeatureResponse(Strict):
    """An optional capability."""

    on: bool
    setting: str | None = Field(description="the first setting that keeps it off")


class HealthResponse(Strict):
    """The health of the whole."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    uptime_s: float
    checked_s_ago: float | None
    features: dict[str, FeatureResponse] = Field(description="what is offered beside try-ons")
    components: dict[str, ComponentResponse]


class StatusResponse(Strict):
    """A plain yes or no."""

    status: Literal["alive", "ready", "not_ready"]


class ErrorResponse(Strict):
    """The one shape of every error."""

    error_code: str
    message: str
    details: dict[str, JsonValue]
    request_id: str
