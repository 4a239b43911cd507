"""A run drawn: p95 by load, previews and quality side by side, legible on light and dark."""

from collections.abc import Iterator, Sequence
from html import escape
from math import log10
from typing import Final

from benchmarks.batching.columns import Column
from benchmarks.batching.contenders import ALL, OURS
from benchmarks.batching.traffic import PREVIEW, QUALITY

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 880, 400, 60, 345
_PANELS: Final = ((PREVIEW, "previews (4 steps)", 60), (QUALITY, "quality (30 steps)", 500))
_PANEL_WIDTH: Final = 350
_TICKS_S: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_LOW_S, _HIGH_S = 0.08, 60.0
_COLOURS: Final = ("#d97706", "#ca8a04", "#6b7280", "#7c3aed", "#059669")  # in the order of ALL
_STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0 } .line { fill: none; stroke-width: 1.6 } .ours { stroke-width: 3.2 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d }
}
"""


def svg(columns: Sequence[Column]) -> str:
    """Draw a run."""
    body = "\n".join([*_legend(), *(part for panel in _PANELS for part in _panel(columns, *panel))])
    label = "95th percentile of latency by load, for five ways to batch"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{label}">\n<style>{_STYLE}</style>\n{body}\n</svg>\n'
    )


def _legend() -> Iterator[str]:
    x = 60.0
    for contender, colour in zip(ALL, _COLOURS, strict=True):
        kind = "line ours" if contender is OURS else "line"
        yield f'<path class="{kind}" stroke="{colour}" d="M{x} 18h22"/>'
        yield f'<text x="{x + 28}" y="22">{escape(contender.title)}</text>'
        x += 44 + 7.2 * len(contender.title)


def _panel(columns: Sequence[Column], kind: str, title: str, left: int) -> Iterator[str]:
    yield f'<text x="{left}" y="{_TOP - 14}">{title}: p95, seconds</text>'
    for tick_s in _TICKS_S:
        y = _y(tick_s)
        yield f'<path class="grid" d="M{left} {y:.1f}h{_PANEL_WIDTH}"/>'
        yield f'<text class="small" x="{left - 30}" y="{y + 4:.1f}">{tick_s:g}</text>'
    for column in columns:
        x = _x(column.load, left)
        yield f'<text class="small" x="{x - 9:.1f}" y="{_BOTTOM + 18}">{column.load:g}</text>'
    middle = left + _PANEL_WIDTH / 2 - 60
    yield f'<text class="small" x="{middle}" y="{_BOTTOM + 38}">load, of capacity</text>'
    for contender, colour in zip(ALL, _COLOURS, strict=True):
        yield from _line(columns, kind, contender.name, left, colour)


def _line(columns: Sequence[Column], kind: str, name: str, left: int, colour: str) -> Iterator[str]:
    points = [
        (_x(one.load, left), _y(one.figures[name].p95_s[kind]))
        for one in columns
        if name in one.figures and one.figures[name].answered[kind]
    ]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    style = "line ours" if name == OURS.name else "line"
    if points:
        yield f'<path class="{style}" stroke="{colour}" d="M{path}"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _x(load: float, left: int) -> float:
    return left + _PANEL_WIDTH * load / 1.3


def _y(seconds: float) -> float:
    """A logarithmic axis: what differs by a factor is as far apart everywhere."""
    share = log10(max(seconds, _LOW_S) / _LOW_S) / log10(_HIGH_S / _LOW_S)
    return _BOTTOM - (_BOTTOM - _TOP) * share
