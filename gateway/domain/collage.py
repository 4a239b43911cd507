"""Where pictures of any sizes lie on one sheet: all of them, undistorted, none over another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

Size = tuple[int, int]
"""Width and height in pixels."""

_LABEL_SHARE: Final = 12  # a label is at most this part of its cell
_LEAST_SIDE_PX: Final = 1


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle of whole pixels on the sheet; `x_px` and `y_px` are its upper left corner."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Left, upper, right, lower; the last two lie outside."""
        return self.x_px, self.y_px, self.x_px + self.width_px, self.y_px + self.height_px


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a picture lies, and the strip above it that its label may take."""

    picture: Rect
    label: Rect


@dataclass(frozen=True, slots=True)
class Layout:
    """A sheet, and where each picture lies on it, in the order they were given."""

    width_px: int
    height_px: int
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class SheetRules:
    """How large a sheet is, and how far its pictures lie apart."""

    side_px: int = 1536
    gap_px: int = 8
    label_px: int = 28


def arrange(sizes: Sequence[Size], rules: SheetRules) -> Layout:
    """Lay pictures out in a grid of equal cells, each as large as its cell lets it be.

    Of all grids the one that shows the smallest picture largest is taken; the sheet is a square of
    `side_px`. Raises ValueError for no pictures, an empty one, or more than there is room for.
    """
    if not sizes or min(min(size) for size in sizes) < 1:
        raise ValueError("a collage shows pictures, and none of them is empty")
    grids = (_grid(len(sizes), columns, rules) for columns in range(1, len(sizes) + 1))
    usable = [grid for grid in grids if min(_room(grid)) >= _LEAST_SIDE_PX]
    if not usable:
        raise ValueError("there is no room for so many pictures")
    best = max(usable, key=lambda grid: min(_scale(size, _room(grid)) for size in sizes))
    tiles = tuple(_tile(size, best.cell(at)) for at, size in enumerate(sizes))
    return Layout(rules.side_px, rules.side_px, tiles)


@dataclass(frozen=True, slots=True)
class _Grid:
    columns: int
    width_px: int
    height_px: int
    gap_px: int
    label_px: int

    def cell(self, at: int) -> Tile:
        """The cell of a picture: all the room that it and its label have."""
        row, column = divmod(at, self.columns)
        x_px = self.gap_px + column * (self.width_px + self.gap_px)
        y_px = self.gap_px + row * (self.height_px + self.gap_px)
        label = Rect(x_px, y_px, self.width_px, self.label_px)
        picture = Rect(x_px, y_px + self.label_px, *_room(self))
        return Tile(picture, label)


def _grid(count: int, columns: int, rules: SheetRules) -> _Grid:
    rows = math.ceil(count / columns)
    width_px = (rules.side_px - rules.gap_px) // columns - rules.gap_px
    height_px = (rules.side_px - rules.gap_px) // rows - rules.gap_px
    label_px = max(0, min(rules.label_px, height_px // _LABEL_SHARE))
    return _Grid(columns, width_px, height_px, rules.gap_px, label_px)


def _room(grid: _Grid) -> Size:
    return grid.width_px, grid.height_px - grid.label_px


def _scale(size: Size, room: Size) -> float:
    return min(room[0] / size[0], room[1] / size[1])


def _tile(size: Size, cell: Tile) -> Tile:
    """The picture in the middle of its cell, in its own proportions."""
    room = cell.picture
    width_px, height_px = _fitted(size, (room.width_px, room.height_px))
    x_px = room.x_px + (room.width_px - width_px) // 2
    y_px = room.y_px + (room.height_px - height_px) // 2
    return Tile(Rect(x_px, y_px, width_px, height_px), cell.label)


def _fitted(size: Size, room: Size) -> Size:
    """The largest size of these proportions that fits, to a pixel; never none at all."""
    scale = _scale(size, room)
    width_px, height_px = (
        min(limit, max(_LEAST_SIDE_PX, round(side * scale)))
        for side, limit in zip(size, room, strict=True)
    )
    return width_px, height_px


def labels_of(groups: Sequence[tuple[str, int]]) -> Iterator[str]:
    """What stands above each picture: the name of its group, numbered where it has several."""
    for name, count in groups:
        for number in range(1, count + 1):
            yield name if count == 1 else f"{name} {number}"
