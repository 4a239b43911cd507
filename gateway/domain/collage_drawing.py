"""Draws a collage: one JPEG that shows several pictures, each under its label."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from gateway.domain.collage import Rect, SheetRules, arrange
from gateway.domain.images import Picture

_PAPER: Final = (255, 255, 255)
_INK: Final = (0, 0, 0)
_QUALITY: Final = 85
_LEAST_LABEL_PX: Final = 8


def collage(pictures: Sequence[Picture], labels: Sequence[str], rules: SheetRules) -> bytes:
    """Show every picture, shrunk or grown to its place, with its label above it.

    Gives a JPEG without metadata, `rules.side_px` wide and high. Raises what `arrange` raises.
    """
    layout = arrange([(one.width_px, one.height_px) for one in pictures], rules)
    sheet = Image.new("RGB", (layout.width_px, layout.height_px), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for picture, label, tile in zip(pictures, labels, layout.tiles, strict=True):
        at = tile.picture
        with Image.open(io.BytesIO(picture.png), formats=["PNG"]) as opened:
            shown = opened.convert("RGB").resize(
                (at.width_px, at.height_px), Image.Resampling.BILINEAR, reducing_gap=2.0
            )
        sheet.paste(shown, (at.x_px, at.y_px))
        _write(pen, tile.label, label)
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _write(pen: ImageDraw.ImageDraw, at: Rect, label: str) -> None:
    """Write a label as large as its strip lets it be; too small to read, it is left out."""
    if at.height_px < _LEAST_LABEL_PX:
        return
    font = ImageFont.load_default(size=at.height_px * 0.7)
    if pen.textlength(label, font=font) <= at.width_px:
        pen.text((at.x_px, at.y_px), label, fill=_INK, font=font)
