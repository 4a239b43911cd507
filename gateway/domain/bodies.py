"""What a drawing of people says, as its worker tells it in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from gateway.errors.kinds import InferenceFailed


class Drawing(BaseModel):
    """The seed of each picture, in their order, and how many were kept back as unsafe."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    seeds: tuple[int, ...]
    ai_generated: Literal[True]
    blocked: int = 0

    @classmethod
    def of(cls, metadata: Mapping[str, JsonValue], pictures: int) -> Drawing:
        """Read a worker's metadata; raises InferenceFailed where it does not fit its pictures."""
        try:
            read = cls.model_validate(metadata)
        except ValidationError as error:
            raise InferenceFailed from error
        if len(read.seeds) != pictures:
            raise InferenceFailed
        return read
