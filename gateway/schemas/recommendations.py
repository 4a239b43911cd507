"""What is asked and answered of recommendations over HTTP, as pydantic models."""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from gateway.domain.uploads import MEDIA_TYPES
from gateway.schemas.requests import EXAMPLE_PNG, ImageSource, Strict
from gateway.schemas.values import NUMBER

MOST_WORN: Final = 12
"""Pictures of a wardrobe, and pictures made of it, at most."""

WARDROBE: Final = "wardrobe_images"
GENERATED: Final = "generated_images"
_WARDROBE: Final = "photos of the person's own clothes"
_GENERATED: Final = "pictures of the person dressed by a try-on"
_PHOTO_TYPES: Final = ", ".join(MEDIA_TYPES)
_FILE: Final[dict[str, Any]] = {"type": "string", "format": "binary"}

Images = Annotated[list[ImageSource], Field(max_length=MOST_WORN)]


class RecommendationOptions(Strict):
    """How much is wanted."""

    max_results: Annotated[int, Field(ge=1, le=50), NUMBER] = Field(
        default=20, description="products at most"
    )


class RecommendationBody(RecommendationOptions):
    """The JSON form of what is asked."""

    user_image: ImageSource = Field(description="photo of the person")
    wardrobe_images: Images = Field(default=[], description=_WARDROBE)
    generated_images: Images = Field(default=[], description=_GENERATED)


class ProductResponse(Strict):
    """A product of the shop."""

    id: str
    name: str
    image_url: str = Field(description="a picture at eBay, by https")
    price: float = Field(ge=0)
    currency: str = Field(description="ISO 4217")
    category: str
    ebay_url: str = Field(description="the product's page at eBay, by https")
    relevance_score: float = Field(ge=0, le=1, description="how well it suits, all told")


class RecommendationResponse(Strict):
    """What goes with a person's clothes."""

    request_id: str
    keywords: list[str]
    products: list[ProductResponse] = Field(description="the best first")
    degraded_services: list[Literal["gemini", "ebay"]] = Field(
        description="services that were away: something else, or older, took their place"
    )
    cached: bool = Field(description="whether this was found for an earlier request")
    stand_ins: bool = Field(description="both services are local stand-ins: nothing here is real")
    processing_time_ms: float

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "request_id": "0b5c1f0e6a4a4c0e9f0d3f1b6f6d2a11",
                "keywords": ["navy linen blazer", "white oxford shirt", "camel chinos",
                             "brown suede loafers", "woven leather belt"],
                "products": [
                    {
                        "id": "v1|110000000001|0",
                        "name": "Navy linen blazer, slim fit",
                        "image_url": "…",
                        "price": 79.9,
                        "currency": "USD",
                        "category": "Blazers",
                        "ebay_url": "…",
                        "relevance_score": 0.87,
                    }
                ],
                "degraded_services": [],
                "cached": False,
                "stand_ins": False,
                "processing_time_ms": 2140.3,
            }
        },
    )  # fmt: skip


def _files(about: str) -> dict[str, Any]:
    return {"type": "array", "items": _FILE, "maxItems": MOST_WORN, "description": about}


RECOMMENDATION_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "user_image": _FILE | {"description": "photo of the person"},
                    WARDROBE: _files(f"{_WARDROBE}, each a part of this name"),
                    GENERATED: _files(f"{_GENERATED}, each a part of this name"),
                    **RecommendationOptions.model_json_schema()["properties"],
                },
                "required": ["user_image"],
                "additionalProperties": False,
            },
            "encoding": {
                name: {"contentType": _PHOTO_TYPES} for name in ("user_image", WARDROBE, GENERATED)
            },
        },
        "application/json": {
            "schema": {"$ref": "#/components/schemas/RecommendationBody"},
            "example": {
                "user_image": {"upload_id": "6921e2f0-pIu3xT0mQ2mV8y1ZkqPq1w"},
                "wardrobe_images": [{"base64": EXAMPLE_PNG, "media_type": "image/png"}],
                "max_results": 10,
            },
        },
    },
}
"""What the framework cannot infer of the request's body."""
