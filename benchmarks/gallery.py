"""Every person in every garment, on one sheet: for the eye, where there is no ground truth.

    python -m benchmarks.gallery PEOPLE GARMENTS --output sheet.jpg [--category lower_body]

PEOPLE and GARMENTS are folders of pictures. A person the engine declines stays as it was, the
reason below it.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.engines import Geometric, Refused
from benchmarks.pairs import Pair
from benchmarks.regions import RGB
from benchmarks.sheet import captioned, fit

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sheet: one row per garment, the garment first, then each person wearing it."""
    options = _parse(argv)
    engine = Geometric()
    people = list(_pictures(options.people))
    rows = [
        np.concatenate([_garment(garment), *_worn(engine, people, garment, options.category)], 1)
        for garment in _pictures(options.garments)
    ]
    page = cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)
    return 0 if cv2.imwrite(str(options.output), page) else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("people", type=Path)
    parser.add_argument("garments", type=Path)
    parser.add_argument("--category", default="upper_body")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def _pictures(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def _garment(path: Path) -> RGB:
    pair = Pair(path.stem, "", path, path, path, {})
    return captioned(fit(pair.garment), path.stem)


def _worn(engine: Geometric, people: Sequence[Path], garment: Path, category: str) -> Iterator[RGB]:
    for person in people:
        pair = Pair(person.stem, category, person, garment, person, {})
        try:
            yield captioned(fit(engine.dress(pair)), person.stem)
        except Refused as problem:
            yield captioned(fit(pair.person), str(problem))


if __name__ == "__main__":
    sys.exit(main())
