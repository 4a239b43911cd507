"""The README's picture: people before and after, dressed by the embedded engine.

python -m benchmarks.hero [--output docs/images/hero.jpg]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks import report
from benchmarks.engines import Geometric
from benchmarks.pairs import Pair, read_rgb
from benchmarks.regions import RGB

_SAMPLES: Final = report.ROOT / "gateway" / "web" / "samples"
_WORN: Final = (
    ("woman-ochre-tee", "fitted-striped-tee"),
    ("man-navy-tee", "plaid-shirt"),
    ("man-grey-tee", "logo-tee"),
)
_CELL_PX: Final = (300, 400)  # width, height
_INSET_PX: Final = (72, 96)
_GAP_PX: Final = 12


def main(argv: Sequence[str] | None = None) -> int:
    """Dress the people and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=report.ROOT / "docs/images/hero.jpg")
    options = parser.parse_args(argv)
    engine = Geometric()
    blocks = [_block(pair, engine.dress(pair)) for pair in map(_pair, *zip(*_WORN, strict=True))]
    gap = np.full((_CELL_PX[1], _GAP_PX, 3), 255, np.uint8)
    row = np.concatenate([part for block in blocks for part in (gap, block)][1:], axis=1)
    bgr = cv2.cvtColor(row, cv2.COLOR_RGB2BGR)
    return 0 if cv2.imwrite(str(options.output), bgr, [cv2.IMWRITE_JPEG_QUALITY, 90]) else 1


def _pair(person: str, garment: str) -> Pair:
    catalogue = json.loads((_SAMPLES / "samples.json").read_text(encoding="utf-8"))
    wearer, worn = _entry(catalogue["people"], person), _entry(catalogue["garments"], garment)
    return Pair(
        id=f"{person} {garment}",
        category=worn["category"],
        person_path=_SAMPLES / wearer["file"],
        garment_path=_SAMPLES / worn["file"],
        truth_path=_SAMPLES / wearer["file"],
        mask_paths={},
    )


def _entry(entries: Sequence[dict[str, Any]], wanted: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["id"] == wanted)


def _block(pair: Pair, result: RGB) -> RGB:
    """Before and after edge to edge, the garment small in the corner of before."""
    before, after = _scaled(read_rgb(pair.person_path), _CELL_PX), _scaled(result, _CELL_PX)
    inset = _scaled(pair.garment, _INSET_PX)
    before[-_INSET_PX[1] - 8 : -8, 8 : 8 + _INSET_PX[0]] = inset
    return np.concatenate([before, after], axis=1)


def _scaled(picture: RGB, size_px: tuple[int, int]) -> RGB:
    return np.asarray(cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    sys.exit(main())
