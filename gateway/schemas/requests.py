"""What is asked over HTTP, as pydantic models; unknown fields are refused everywhere."""

from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from gateway.domain.options import Category, OutputFormat
from gateway.domain.uploads import MEDIA_TYPES
from gateway.schemas.values import NUMBER, Flag, one_of, whole

_ALIASES: Final = {"full_body": Category.DRESSES}
_NO_CONTROLS: Final = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
_MAX_SEED: Final = 2**32 - 1
_GARMENT_ID: Final = "a garment from /api/v1/garments, instead of its photo"
_DEADLINE: Final = "refuse at once what cannot be done within so many seconds"
_LEAST_STEPS: Final = "rather take so few steps than miss the deadline"
_PREVIEW_EVERY: Final = "in a stream of events, a preview after every so many steps"


def _dealiased(value: object) -> object:
    return _ALIASES.get(value, value) if isinstance(value, str) else value


AnyCategory = Annotated[
    Category,
    BeforeValidator(
        _dealiased,
        json_schema_input_type=Literal["upper_body", "lower_body", "dresses", "full_body"],
    ),
]


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
Text = Annotated[str, StringConstraints(max_length=500, pattern=_NO_CONTROLS)]
GarmentId = Annotated[str, StringConstraints(max_length=64)]


_Seed = Annotated[int, Field(ge=0, le=_MAX_SEED), NUMBER]
_Steps = Annotated[int, Field(ge=1, le=150), NUMBER]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), NUMBER]


class Strict(BaseModel):
    """Knows its fields, and no others."""

    model_config = ConfigDict(extra="forbid")


class TryOnOptions(Strict):
    """How to try on; what the chosen engine cannot honour is refused by name."""

    category: AnyCategory = Field(
        default=Category.UPPER_BODY, description="what the garment covers"
    )
    engine: Name | None = Field(
        default=None, description="engine to use; the deployment's default when absent"
    )
    output_format: OutputFormat = Field(
        default=OutputFormat.JPEG, description="encoding of the result"
    )
    width_px: Annotated[int, Field(ge=512, le=2048), NUMBER] | None = Field(
        default=None, description="the result is not wider"
    )
    height_px: Annotated[int, Field(ge=768, le=2048), NUMBER] | None = Field(
        default=None, description="the result is not higher"
    )
    preset: Name | None = Field(
        default=None, description="numbers for quality or speed, see `presets` of the models"
    )
    steps: _Steps | None = Field(default=None, description="denoising steps")
    guidance_scale: Annotated[float, Field(ge=0, le=30, allow_inf_nan=False), NUMBER] | None = (
        Field(default=None, description="classifier-free guidance")
    )
    guidance_from: _Share | None = Field(
        default=None,
        description="guidance only from this share of the steps on (arXiv 2404.07724)",
    )
    guidance_until: _Share | None = Field(
        default=None,
        description="guidance only until this share of the steps",
    )
    step_cache: Annotated[int, Field(ge=1, le=50), NUMBER] | None = Field(
        default=None,
        description="the deep layers run in every n-th step only (arXiv 2312.00858); 1: in all",
    )
    strength: _Share | None = Field(default=None, description="1 repaints from noise alone")
    seed: _Seed | None = Field(
        default=None,
        description="same seed, same picture; a repeat within the hour is the same without one",
    )
    pose_seed: _Seed | None = Field(
        default=None, description="seed of the pose alone; else follows seed"
    )
    num_samples: Annotated[int, Field(ge=1, le=4), NUMBER] | None = Field(
        default=None, description="pictures to make"
    )
    auto_crop: Flag | None = Field(
        default=None, description="crop to the person, paste back afterwards"
    )
    keep_unmasked: Flag | None = Field(
        default=None, description="restore every pixel outside the mask exactly"
    )
    garment_description: Text | None = Field(
        default=None, description="a hint in words: 'a red knitted pullover'"
    )
    deadline_s: Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER] | None = Field(
        default=None, description=_DEADLINE
    )
    least_steps: _Steps | None = Field(default=None, description=_LEAST_STEPS)
    preview_every: _Steps | None = Field(default=None, description=_PREVIEW_EVERY)

    def given(self) -> dict[str, JsonValue]:
        """Every option that has a value, the names of engine and garment apart."""
        named = {"engine", "garment_id"}
        return self.model_dump(mode="json", exclude_none=True, exclude=named)


class TryOnFields(TryOnOptions):
    """The fields of a form that are no files."""

    garment_id: GarmentId | None = Field(default=None, description=_GARMENT_ID)


class GarmentFields(Strict):
    """What is told of a garment beside its picture."""

    category: AnyCategory = Field(description="what the garment covers")
    engine: Name | None = Field(
        default=None, description="engine to be ready for it; the default one when absent"
    )
    garment_description: Text | None = Field(
        default=None, description="a hint in words: 'a red knitted pullover'"
    )
    pinned: Flag = Field(default=True, description="the engine never forgets what it saw of it")


class PersonOptions(Strict):
    """How to analyse a photo; what the engine cannot honour is refused by name."""

    category: AnyCategory = Field(
        default=Category.UPPER_BODY, description="what the garment will cover: the mask follows"
    )
    auto_crop: Flag | None = Field(
        default=None, description="look at the part a try-on with auto_crop would use"
    )

    def given(self) -> dict[str, JsonValue]:
        """Every option that has a value."""
        return self.model_dump(mode="json", exclude_none=True)


Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class BodiesBody(Strict):
    """Whom to draw; names and ranges are those of the deployment's engine."""

    count: Whole = Field(default=1, description="pictures to draw")
    height_cm: Real = Field(description="how tall the person is")
    weight_kg: Real = Field(description="how heavy the person is")
    ethnicity: Name | None = Field(default=None, description="where the person's looks are from")
    gender: Name | None = Field(default=None, description="whom to draw; either when absent")
    age_group: Name | None = Field(default=None, description="every one an adult")
    body_type: Name | None = Field(default=None, description="the figure")
    skin_tone: Name | None = Field(default=None, description="the skin")
    pose: Name | None = Field(default=None, description="how the person stands")
    seed: Whole | None = Field(default=None, description="picture i is that of the seed plus i")
    steps: Whole | None = Field(default=None, description="denoising steps")
    guidance_scale: Real | None = Field(default=None, description="classifier-free guidance")
    width_px: Whole | None = Field(default=None, description="of every picture")
    height_px: Whole | None = Field(default=None, description="of every picture")
    output_format: OutputFormat = Field(
        default=OutputFormat.JPEG, description="encoding of the pictures"
    )
    deadline_s: Real | None = Field(default=None, gt=0, description=_DEADLINE)
    least_steps: Whole | None = Field(default=None, ge=1, description=_LEAST_STEPS)

    @model_validator(mode="before")
    @classmethod
    def _wholes(cls, told: object) -> object:
        if not isinstance(told, dict):
            return told
        return {name: whole(value) for name, value in told.items()}

    def given(self) -> dict[str, JsonValue]:
        """Every option that has a value."""
        return self.model_dump(mode="json", exclude_none=True)


EXAMPLE_PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQAAAACCEkxzAAAAFElEQVR42mP8zwAB"
    "TAyjjFEGyQwAzx8Bf7QK4E8AAAAASUVORK5CYII="
)
"""A white square of 64 pixels, the least that is taken: examples that can be sent hold it."""

_File = Annotated[
    str,
    StringConstraints(min_length=1),
    WithJsonSchema({"type": "string", "format": "byte", "contentEncoding": "base64"}),
]
_MediaType = Annotated[
    str,
    StringConstraints(max_length=100),
    WithJsonSchema({"type": "string", "enum": list(MEDIA_TYPES)}),
]


class ImageSource(Strict):
    """A picture within JSON: either base64 (a data URL will do) or an upload made before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=one_of(("base64", "string"), ("upload_id", "string"), "media_type"),
    )

    base64: _File | None = Field(default=None, description="the file, base64-encoded")
    media_type: _MediaType | None = Field(default=None, description="declared type of the file")
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


class TryOnBody(Strict):
    """The JSON form of a try-on request."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=one_of(("garment_image", "object"), ("garment_id", "string")),
    )

    user_image: ImageSource = Field(description="photo of the person")
    garment_image: ImageSource | None = Field(default=None, description="photo of the garment")
    garment_id: GarmentId | None = Field(default=None, description=_GARMENT_ID)
    mask: ImageSource | None = Field(default=None, description="white where the picture may change")
    densepose: ImageSource | None = Field(
        default=None, description="the body's surface in DensePose's colours, on the photo"
    )
    options: TryOnOptions = TryOnOptions()


class PersonBody(Strict):
    """The JSON form of an analysis."""

    user_image: ImageSource = Field(description="photo of the person")
    options: PersonOptions = PersonOptions()
