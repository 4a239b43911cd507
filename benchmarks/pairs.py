"""Try-on pairs with ground truth: a folder with `pairs.json`, read one pair at a time.

The format is documented in `tests/fixtures/pairs/FORMAT.md`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from benchmarks.regions import RGB, Mask, grow

_SEAM_PX = 2  # the truth was pasted into the photo within the union grown by this much


class BadPairs(Exception):
    """The folder does not hold pairs in the documented format."""


@dataclass(frozen=True)
class Pair:
    """One person, one garment, and the same person really wearing it."""

    id: str
    category: str
    person_path: Path
    garment_path: Path
    truth_path: Path
    mask_paths: dict[str, Path]

    @cached_property
    def person(self) -> RGB:
        """The photo to be changed, wearing the old garment A."""
        return read_rgb(self.person_path)

    @cached_property
    def garment(self) -> RGB:
        """The product photo of the new garment B."""
        return read_rgb(self.garment_path)

    @cached_property
    def truth(self) -> RGB:
        """The same person wearing B, equal to `person` byte for byte outside the union."""
        within = grow(self.union, _SEAM_PX)[..., None]
        return np.where(within, read_rgb(self.truth_path), self.person)

    @cached_property
    def old(self) -> Mask:
        """Where A is seen in the photo."""
        return _read_mask(self.mask_paths["A"])

    @cached_property
    def new(self) -> Mask:
        """Where B is seen in the truth."""
        return _read_mask(self.mask_paths["B"])

    @cached_property
    def union(self) -> Mask:
        """Where A or B is seen, and what else had to change with them."""
        return _read_mask(self.mask_paths["union"])

    @cached_property
    def front(self) -> Mask:
        """Hands, hair, face and neck lying in front of A or B."""
        return _read_mask(self.mask_paths["front"])


def load(folder: Path) -> Iterator[Pair]:
    """The pairs of a folder in their listed order; pictures are read when asked for."""
    try:
        listed = json.loads((folder / "pairs.json").read_text())["pairs"]
    except (OSError, ValueError, KeyError) as problem:
        raise BadPairs(f"{folder}: no readable pairs.json ({problem})") from problem
    for entry in listed:
        yield Pair(
            id=entry["id"],
            category=entry["category"],
            person_path=folder / entry["person"],
            garment_path=folder / entry["garment"],
            truth_path=folder / entry["truth"],
            mask_paths={name: folder / path for name, path in entry["masks"].items()},
        )


def read_rgb(path: Path) -> RGB:
    """A picture file as RGB, (H, W, 3) uint8."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise BadPairs(f"{path}: not a readable picture")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _read_mask(path: Path) -> Mask:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise BadPairs(f"{path}: not a readable mask")
    return np.asarray(grey > 127)
