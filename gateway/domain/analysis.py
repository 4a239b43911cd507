"""What an analysis of a photo says, as its worker tells it in the metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from gateway.errors.kinds import InferenceFailed

PICTURES: Final = frozenset({"mask", "parse_map", "densepose"})
"""What the pictures of an analysis are called."""


class Analysis(BaseModel):
    """One photo, understood.

    `images` names the pictures in their order. A joint of `keypoint_names` is x and y in pixels
    and a confidence 0..1, or None where it was not found. `labels` gives the values of the parse
    map by name.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    images: tuple[str, ...]
    width_px: int
    height_px: int
    keypoint_names: tuple[str, ...]
    keypoints: tuple[tuple[float, float, float] | None, ...]
    labels: dict[str, int]
    warnings: list[JsonValue]
    models: list[JsonValue]

    @classmethod
    def of(cls, metadata: Mapping[str, JsonValue]) -> Analysis:
        """Read a worker's metadata; raises InferenceFailed where something is missing."""
        try:
            read = cls.model_validate(metadata)
        except ValidationError as error:
            raise InferenceFailed from error
        if PICTURES - {*read.images} or len(read.keypoints) != len(read.keypoint_names):
            raise InferenceFailed
        return read

    def found(self) -> Iterator[tuple[str, tuple[float, float, float]]]:
        """The joints that were found, by name."""
        for name, point in zip(self.keypoint_names, self.keypoints, strict=True):
            if point is not None:
                yield name, point

    def by_name(self, pictures: Sequence[str]) -> Mapping[str, str]:
        """Give what stands for each picture, such as its link, that picture's name.

        Raises InferenceFailed when there are more or fewer than named.
        """
        if len(pictures) != len(self.images):
            raise InferenceFailed
        return dict(zip(self.images, pictures, strict=True))
