"""A contact sheet: person, garment, result and truth side by side, one row per pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.pairs import Pair
from benchmarks.regions import RGB

_CELL_PX = (384, 512)  # width, height
_CAPTION_PX = 28
_INK, _PAPER = (40, 40, 40), 250


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the sheet."""

    pair: Pair
    result: RGB
    caption: str


def write(path: Path, entries: Sequence[Entry]) -> None:
    """Write the sheet as one picture file; the suffix names the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = np.concatenate([_row(entry) for entry in entries])
    if not cv2.imwrite(str(path), cv2.cvtColor(page, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path}: cannot be written as a picture")


def _row(entry: Entry) -> RGB:
    pair = entry.pair
    cells = [fit(picture) for picture in (pair.person, pair.garment, entry.result, pair.truth)]
    return captioned(np.concatenate(cells, axis=1), entry.caption)


def captioned(picture: RGB, caption: str) -> RGB:
    """The picture under a line of text, cut off at the picture's width."""
    line = np.full((_CAPTION_PX, picture.shape[1], 3), _PAPER, np.uint8)
    cv2.putText(line, caption, (8, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.concatenate([line, picture])


def fit(picture: RGB) -> RGB:
    """The picture scaled into a cell, centred on paper."""
    width, height = _CELL_PX
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    cell = np.full((height, width, 3), _PAPER, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell
