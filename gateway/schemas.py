"""What goes over HTTP, as pydantic models; unknown fields are refused everywhere."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from gateway.domain.options import Category, OutputFormat, Quality

_ALIASES: Final = {"full_body": Category.DRESSES}
_NO_CONTROLS: Final = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
_MAX_SEED: Final = 2**32 - 1


def _dealiased(value: object) -> object:
    return _ALIASES.get(value, value) if isinstance(value, str) else value


AnyCategory = Annotated[
    Category,
    BeforeValidator(
        _dealiased,
        json_schema_input_type=Literal["upper_body", "lower_body", "dresses", "full_body"],
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TryOnOptions(_Strict):
    """How to try on; what the chosen engine cannot honour is refused by name."""

    category: AnyCategory = Field(
        default=Category.UPPER_BODY, description="what the garment covers"
    )
    engine: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")] | None = Field(
        default=None, description="engine to use; the deployment's default when absent"
    )
    output_format: OutputFormat = Field(
        default=OutputFormat.JPEG, description="encoding of the result"
    )
    width_px: int | None = Field(
        default=None, ge=512, le=2048, description="the result is not wider"
    )
    height_px: int | None = Field(
        default=None, ge=768, le=2048, description="the result is not higher"
    )
    quality: Quality | None = Field(default=None, description="preset of steps")
    steps: int | None = Field(default=None, ge=1, le=150, description="denoising steps")
    guidance_scale: float | None = Field(
        default=None, ge=0, le=30, allow_inf_nan=False, description="classifier-free guidance"
    )
    strength: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="1 repaints from noise alone"
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=_MAX_SEED,
        description="same seed, same picture; a repeat within the hour is the same without one",
    )
    pose_seed: int | None = Field(
        default=None, ge=0, le=_MAX_SEED, description="seed of the pose alone; else follows seed"
    )
    num_samples: int | None = Field(default=None, ge=1, le=4, description="pictures to make")
    auto_crop: bool | None = Field(
        default=None, description="crop to the person, paste back afterwards"
    )
    keep_unmasked: bool | None = Field(
        default=None, description="restore every pixel outside the mask exactly"
    )
    garment_description: (
        Annotated[str, StringConstraints(max_length=500, pattern=_NO_CONTROLS)] | None
    ) = Field(default=None, description="a hint in words: 'a red knitted pullover'")

    def given(self) -> dict[str, JsonValue]:
        """Every option that has a value, the engine's name apart."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"engine"})


class PersonOptions(_Strict):
    """How to analyse a photo; what the engine cannot honour is refused by name."""

    category: AnyCategory = Field(
        default=Category.UPPER_BODY, description="what the garment will cover: the mask follows"
    )
    auto_crop: bool | None = Field(
        default=None, description="look at the part a try-on with auto_crop would use"
    )

    def given(self) -> dict[str, JsonValue]:
        """Every option that has a value."""
        return self.model_dump(mode="json", exclude_none=True)


class ImageSource(_Strict):
    """A picture within JSON: either base64 (a data URL will do) or an upload made before."""

    base64: str | None = Field(default=None, min_length=1, description="the file, base64-encoded")
    media_type: str | None = Field(
        default=None, max_length=100, description="declared type of the file"
    )
    upload_id: str | None = Field(
        default=None, max_length=64, description="id from POST /api/v1/uploads"
    )

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.base64 is None) == (self.upload_id is None):
            raise ValueError("give either base64 or upload_id")
        if self.upload_id is not None and self.media_type is not None:
            raise ValueError("media_type belongs to base64")
        return self


class TryOnBody(_Strict):
    """The JSON form of a try-on request."""

    user_image: ImageSource = Field(description="photo of the person")
    garment_image: ImageSource = Field(description="photo of the garment")
    mask: ImageSource | None = Field(default=None, description="white where the picture may change")
    densepose: ImageSource | None = Field(
        default=None, description="the body's surface in DensePose's colours, on the photo"
    )
    options: TryOnOptions = TryOnOptions()


class PersonBody(_Strict):
    """The JSON form of an analysis."""

    user_image: ImageSource = Field(description="photo of the person")
    options: PersonOptions = PersonOptions()


class TryOnResponse(_Strict):
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


class KeyPointResponse(_Strict):
    """A joint that was found."""

    name: str
    x_px: float
    y_px: float
    confidence: float


class PersonResponse(_Strict):
    """What a photo says of a person; every picture lies on the photo as it was sent."""

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


class UploadResponse(_Strict):
    """A stored upload, ready to be referred to."""

    upload_id: str
    expires_at: datetime
    width_px: int
    height_px: int


class PartResponse(_Strict):
    """A model within an engine, and on what terms its weights may be used."""

    part: str
    model: str
    licence: str
    commercial_use: bool


class EngineResponse(_Strict):
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


class ModelsResponse(_Strict):
    """Every engine of this deployment: those that dress, and those that analyse photos."""

    engines: list[EngineResponse]
    analysers: list[EngineResponse]


class ComponentResponse(_Strict):
    """The health of one part."""

    status: Literal["healthy", "degraded", "unhealthy"]
    details: dict[str, JsonValue]


class HealthResponse(_Strict):
    """The health of the whole."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    uptime_s: float
    checked_s_ago: float | None
    components: dict[str, ComponentResponse]


class StatusResponse(_Strict):
    """A plain yes or no."""

    status: Literal["alive", "ready", "not_ready"]


class ErrorResponse(_Strict):
    """The one shape of every error."""

    error_code: str
    message: str
    details: dict[str, JsonValue]
    request_id: str
