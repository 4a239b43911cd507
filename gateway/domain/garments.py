"""Garments of a catalogue: pictures that stay until they are deleted."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from typing import Final, TypedDict

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from gateway.domain.names import TOKEN_BYTES
from gateway.domain.options import Category

FOLDER: Final = "garments"
ID_PATTERN: Final = "^g[0-9a-f]{8}-[A-Za-z0-9_-]{22}$"
_ID: Final = re.compile(ID_PATTERN, re.ASCII)


class Details(TypedDict):
    """What is told of a garment."""

    category: Category
    garment_description: str | None
    engine: str
    pinned: bool
    warmed: bool
    reason: str | None


class Garment(BaseModel):
    """One garment, as it lies in the store beside its picture.

    `created_at` is Unix seconds. `warmed` says whether its engine was made ready for it, `reason`
    why not: `not_needed`, or the code of the error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    garment_id: str
    category: Category
    garment_description: str | None
    engine: str
    pinned: bool
    created_at: int
    width_px: int
    height_px: int
    warmed: bool
    reason: str | None

    @classmethod
    def of(cls, content: bytes) -> Garment | None:
        """Read one back; None for what is none of ours."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return None

    @property
    def worn(self) -> dict[str, JsonValue]:
        """What a try-on need not say, as the garment says it."""
        worn: dict[str, JsonValue] = {"category": self.category.value}
        if self.garment_description is not None:
            worn["garment_description"] = self.garment_description
        return worn


def new_id(created_at: int, randomness: bytes) -> str:
    """Name a garment by its Unix second and 16 random bytes: later ones sort behind earlier ones.

    Unlike the names of other objects it carries no expiry, and never looks as if it did.
    """
    token = urlsafe_b64encode(randomness[:TOKEN_BYTES]).rstrip(b"=").decode("ascii")
    return f"g{created_at:08x}-{token}"


def is_id(text: str) -> bool:
    """Whether a text may name a garment."""
    return _ID.fullmatch(text) is not None


def record_key(garment_id: str) -> str:
    """Where its description lies."""
    return f"{FOLDER}/{garment_id}.json"


def picture_key(garment_id: str) -> str:
    """Where its picture lies."""
    return f"{FOLDER}/{garment_id}.png"


def id_of(key: str) -> str | None:
    """The garment that a key describes; None for a key of anything else."""
    name = key.rpartition("/")[2].removesuffix(".json")
    return name if is_id(name) and key == record_key(name) else None
