"""What is asked of sessions over HTTP, apart from a single try-on."""

from typing import Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from gateway.schemas.requests import (
    AnyCategory,
    GarmentId,
    ImageSource,
    Strict,
    Text,
    TryOnOptions,
)
from gateway.schemas.values import one_of


class PersonOfBatch(Strict):
    """Somebody to dress."""

    user_image: ImageSource = Field(description="photo of the person")
    mask: ImageSource | None = Field(default=None, description="white where the photo may change")
    densepose: ImageSource | None = Field(
        default=None, description="the body's surface in DensePose's colours, on the photo"
    )


class GarmentOfBatch(Strict):
    """Something to wear; its own options outrank those of the batch."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=one_of(("garment_image", "object"), ("garment_id", "string")),
    )

    garment_image: ImageSource | None = Field(default=None, description="photo of the garment")
    garment_id: GarmentId | None = Field(default=None, description="one of the catalogue")
    category: AnyCategory | None = Field(default=None, description="what the garment covers")
    garment_description: Text | None = Field(default=None, description="a hint in words")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.garment_image is None) == (self.garment_id is None):
            raise ValueError("give either garment_image or garment_id")
        return self

    def given(self) -> dict[str, JsonValue]:
        """The options of its own."""
        own = {"category", "garment_description"}
        return self.model_dump(mode="json", exclude_none=True, include=own)


class BatchBody(Strict):
    """Every person in every garment; pictures are best uploaded before."""

    people: list[PersonOfBatch] = Field(min_length=1, max_length=64)
    garments: list[GarmentOfBatch] = Field(min_length=1, max_length=64)
    options: TryOnOptions = TryOnOptions()
