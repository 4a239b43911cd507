"""What can be scored: the embedded engine, doing nothing, and a folder of finished pictures."""

from pathlib import Path
from typing import Protocol

import yaml

from benchmarks.pairs import Pair, read_rgb
from benchmarks.regions import RGB
from benchmarks.report import ROOT


class Refused(Exception):
    """The engine declined the pair, saying why; scored as if it had done nothing."""


class Engine(Protocol):
    """Anything that dresses a pair's person in its garment."""

    def dress(self, pair: Pair) -> RGB:
        """The result, of the person's size; raises `Refused`."""


class DoNothing:
    """The baseline every engine must beat: the photo as it came."""

    def dress(self, pair: Pair) -> RGB:
        """The person's photo, unchanged."""
        return pair.person


class Finished:
    """Results made elsewhere: `<pair id>.png` or `.jpg` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def dress(self, pair: Pair) -> RGB:
        """The stored result; a missing file counts as refused."""
        for suffix in (".png", ".jpg"):
            path = self._folder / f"{pair.id}{suffix}"
            if path.exists():
                return read_rgb(path)
        raise Refused("no result file")


class Geometric:
    """The embedded engine, in this process."""

    def __init__(self) -> None:
        # MediaPipe takes seconds to import, and the other engines do without it.
        from handlers.landmarks import BodyLandmarks  # noqa: PLC0415

        config = yaml.safe_load((ROOT / "config" / "geometric.yaml").read_text(encoding="utf-8"))
        self._landmarks = BodyLandmarks(**config["handler"]["landmarks"])

    def dress(self, pair: Pair) -> RGB:
        """Analyse both pictures and dress the person."""
        from handlers.errors import HandlerError  # noqa: PLC0415
        from handlers.vision import garment, person, tryon  # noqa: PLC0415

        try:
            wearer = person.analyse(pair.person, self._landmarks.detect(pair.person))
            worn = garment.analyse(pair.garment, pair.category)
            return tryon.dress(wearer, worn).image
        except HandlerError as problem:
            raise Refused(f"{problem.code} {problem.message} {problem.details}") from problem


def engine(name: str) -> Engine:
    """The engine of that name: `geometric`, `none`, or `results:FOLDER`."""
    kind, _, folder = name.partition(":")
    if kind == "results" and folder:
        return Finished(Path(folder))
    if name == "none":
        return DoNothing()
    if name == "geometric":
        return Geometric()
    raise ValueError(f"no engine {name!r}: geometric, none or results:FOLDER")
