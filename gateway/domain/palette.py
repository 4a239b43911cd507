"""Which colours a photo's clothes have, and what goes with them: keywords where no model helps.

A photo's clothes are taken to be in its middle, and what is at its edges to be none of them; what
goes with a colour is what the wheel says: neutrals, the opposite, the neighbour.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

from gateway.domain.images import Picture
from gateway.domain.keywords import clean

_MIDDLE: Final = (0.36, 0.24, 0.64, 0.6)  # left, upper, right, lower; of width and height
_EDGES: Final = ((0.0, 0.05, 0.08, 0.6), (0.92, 0.05, 1.0, 0.6))  # what is behind a person
_SIDE_PX: Final = 24
_LEAST_SHARE: Final = 0.15  # of the middle; less is a button


@dataclass(frozen=True, slots=True)
class _Colour:
    rgb: tuple[int, int, int]
    partners: tuple[str, str]


_COLOURS: Final = {
    "black": _Colour((22, 22, 24), ("white", "camel")),
    "charcoal": _Colour((65, 67, 72), ("white", "burgundy")),
    "grey": _Colour((135, 137, 140), ("navy", "pink")),
    "white": _Colour((243, 243, 240), ("navy", "beige")),
    "beige": _Colour((214, 194, 164), ("white", "olive")),
    "camel": _Colour((184, 138, 88), ("black", "cream")),
    "brown": _Colour((104, 68, 44), ("cream", "light blue")),
    "red": _Colour((192, 34, 40), ("navy", "white")),
    "burgundy": _Colour((106, 24, 42), ("grey", "camel")),
    "coral": _Colour((222, 112, 96), ("white", "teal")),
    "orange": _Colour((230, 122, 36), ("navy", "cream")),
    "mustard": _Colour((206, 158, 46), ("navy", "charcoal")),
    "yellow": _Colour((242, 212, 72), ("grey", "navy")),
    "olive": _Colour((102, 104, 56), ("cream", "rust")),
    "green": _Colour((52, 128, 72), ("beige", "navy")),
    "teal": _Colour((28, 116, 122), ("coral", "cream")),
    "light blue": _Colour((152, 188, 224), ("white", "brown")),
    "blue": _Colour((44, 92, 176), ("white", "camel")),
    "navy": _Colour((28, 38, 74), ("white", "camel")),
    "purple": _Colour((98, 58, 132), ("grey", "mustard")),
    "pink": _Colour((234, 162, 186), ("grey", "navy")),
}


def colours_of(picture: Picture) -> tuple[str, ...]:
    """The names of the colours in the middle of a picture, the commonest first; never none.

    What is common at the edges, too, is taken for the background as long as more is left.
    """
    with Image.open(io.BytesIO(picture.png), formats=["PNG"]) as opened:
        photo = opened.convert("RGB")
    middle = _names(photo, _MIDDLE)
    behind = {name for edge in _EDGES for name, _ in _names(photo, edge).most_common(2)}
    least = middle.total() * _LEAST_SHARE
    seen = [name for name, count in middle.most_common() if count >= least]
    return tuple(name for name in seen if name not in behind) or tuple(seen) or (_first(middle),)


def suggestions(pictures: Sequence[Picture]) -> tuple[str, ...]:
    """At least LEAST keywords for what goes with the clothes of these pictures.

    One that was given first counts first; raises ValueError for none.
    """
    if not pictures:
        raise ValueError("there is nothing to go by")
    found: list[str] = []
    for picture in pictures:
        colour = colours_of(picture)[0]
        first, second = _COLOURS[colour].partners
        found += [f"{first} trousers", f"{second} jacket", f"{first} shoes", f"{second} bag"]
        found += [f"{colour} accessories"]
    return clean(found)


def _names(photo: Image.Image, part: tuple[float, float, float, float]) -> Counter[str]:
    """How often each colour is in a part of a photo."""
    left, upper, right, lower = part
    box = (photo.width * left, photo.height * upper, photo.width * right, photo.height * lower)
    raw = photo.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX, box).tobytes()
    return Counter(_named(*raw[at : at + 3]) for at in range(0, len(raw), 3))


def _first(counted: Counter[str]) -> str:
    return counted.most_common(1)[0][0]


def _named(red: int, green: int, blue: int) -> str:
    """The nearest colour, by a distance that weighs channels roughly as eyes do."""

    def distance(name: str) -> int:
        r, g, b = _COLOURS[name].rgb
        return 3 * (red - r) ** 2 + 4 * (green - g) ** 2 + 2 * (blue - b) ** 2

    return min(_COLOURS, key=distance)
