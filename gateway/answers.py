"""What is answered over HTTP, as pydantic models: the client's side of the contract."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from gateway.domain.options import Category
from gateway.schemas import Strict


class TryOnResponse(Strict):
    """A finished try-on."""

    request_id: str
    result_url: str = Field(description="signed link to the (first) picture")
    result_urls: list[str] = Field(description="signed links to every picture")
    expires_at: datetime = Field(description="when the links stop working")
    engine: str
    model_version: str | None
    cached: bool = Field(description="whether an identical request was reused, past or under way")
    processing_time_ms: float
    metadata: dict[str, JsonValue] = Field(description="what the engine says about its work")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "request_id": "0b5c1f0e6a4a4c0e9f0d3f1b6f6d2a11",
                "result_url": "/api/v1/results/6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w.jpg"
                "?expires=1763828464&signature=5f1c…",
                "result_urls": ["/api/v1/results/6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w.jpg?…"],
                "expires_at": "2026-11-22T16:21:04Z",
                "engine": "geometric",
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


class PersonResponse(Strict):
    """What a photo says of a person.

    Pictures and joints lie on the photo turned upright, in `width_px` x `height_px`; that is its
    own size, unless it is larger than the deployment works with.
    """

    request_id: str
    mask_url: str = Field(description="PNG: white where a try-on would repaint; may be edited")
    parse_map_url: str = Field(description="PNG: a label of `labels` per pixel")
    densepose_url: str = Field(description="PNG: the body's surface, for `densepose` of a try-on")
    expires_at: datetime = Field(description="when the links stop working")
    width_px: int
    height_px: int
    keypoints: list[KeyPointResponse] = Field(description="the joints that were found")
    labels: dict[str, int] = Field(description="what the values of the parse map mean")
    warnings: list[JsonValue]
    models: list[JsonValue] = Field(description="which model answered, and on what terms")
    engine: str
    model_version: str | None
    cached: bool = Field(description="whether an identical request was reused, past or under way")
    processing_time_ms: float

    model_config = ConfigDict(
        extra="forbid",
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
                "model_version": "1.0.0",
                "cached": False,
                "processing_time_ms": 214.6,
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


class EngineResponse(Strict):
    """An engine and what it can do."""

    engine: str
    is_default: bool
    ready: bool
    model_version: str | None
    categories: list[Category]
    options: list[str]
    ranges: dict[str, tuple[int | float, int | float]] = Field(
        description="from and to, of the options that are numbers"
    )
    defaults: dict[str, JsonValue] = Field(description="taken for options left out")
    deadline_s: float = Field(description="the longest time to an answer")
    licence: str
    commercial_use: bool
    parts: list[PartResponse] = Field(description="the models within, each on its own terms")


class ModelsResponse(Strict):
    """Every engine of this deployment: those that dress, and those that analyse photos."""

    engines: list[EngineResponse]
    analysers: list[EngineResponse]


class ComponentResponse(Strict):
    """The health of one part."""

    status: Literal["healthy", "degraded", "unhealthy"]
    details: dict[str, JsonValue]


class HealthResponse(Strict):
    """The health of the whole."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    uptime_s: float
    checked_s_ago: float | None
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
