"""What is answered about the catalogue."""

from datetime import UTC, datetime
from typing import Self

from pydantic import Field

from gateway.domain.garments import Garment
from gateway.domain.options import Category
from gateway.schemas.requests import Strict


class GarmentResponse(Strict):
    """A garment of the catalogue."""

    garment_id: str
    category: Category
    garment_description: str | None
    engine: str = Field(description="the engine that is ready for it")
    pinned: bool = Field(description="whether that engine never forgets what it saw of it")
    created_at: datetime
    width_px: int
    height_px: int
    warmed: bool = Field(description="whether that engine looked at it")
    reason: str | None = Field(description="why it did not: `not_needed`, or an error's code")

    @classmethod
    def of(cls, garment: Garment) -> Self:
        """What is told of a garment."""
        created_at = datetime.fromtimestamp(garment.created_at, UTC)
        return cls(**{**garment.model_dump(), "created_at": created_at})


class GarmentsResponse(Strict):
    """A page of the catalogue."""

    garments: list[GarmentResponse]
    next_cursor: str | None = Field(description="of the next page; none: this is the last")
