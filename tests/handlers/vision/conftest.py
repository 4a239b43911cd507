"""Rendered people with true labels, seen through the real detector once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from handlers.landmarks import BodyLandmarks
from handlers.vision import garment, person
from handlers.vision.garment import Garment
from handlers.vision.lower_garment import LowerGarment
from handlers.vision.person import Person

PAIRS = Path(__file__).parents[2] / "fixtures" / "pairs"


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 RGB."""
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return np.asarray(picture[..., ::-1], np.uint8).copy()


@dataclass(frozen=True)
class Pair:
    """One pair of the fixture: an analysed person and what the renderer knows of it."""

    person: Person
    labels: NDArray[np.uint8]
    joints: dict[str, list[float]]
    garment: Path
    category: str


@pytest.fixture(scope="session")
def detector() -> BodyLandmarks:
    """Give the real detector."""
    return BodyLandmarks(0.3)


@pytest.fixture(scope="session")
def pair(detector: BodyLandmarks) -> Callable[[str], Pair]:
    """Analyse the person of a pair, once each."""
    listed = {p["id"]: p for p in json.loads((PAIRS / "pairs.json").read_text())["pairs"]}
    known: dict[str, Pair] = {}

    def get(name: str) -> Pair:
        if name not in known:
            told = listed[name]
            photo = read_rgb(PAIRS / told["person"])
            labels = cv2.imread(str(PAIRS / told["person_labels"]), cv2.IMREAD_GRAYSCALE)
            seen = person.analyse(photo, detector.detect(photo))
            cloth = PAIRS / told["garment"]
            known[name] = Pair(seen, labels, told["joints"], cloth, told["category"])
        return known[name]

    return get


@pytest.fixture(scope="session")
def worn(pair: Callable[[str], Pair]) -> Callable[[str], Garment | LowerGarment]:
    """Analyse the garment of a pair."""
    return lambda name: garment.analyse(read_rgb(pair(name).garment), pair(name).category)
