"""Rendered people with true labels, in the frame that photos are understood in."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from handlers.landmarks import BodyLandmarks
from handlers.loader import Loader
from handlers.settings import read
from handlers.understanding.by_landmarks import LandmarkUnderstanding
from handlers.understanding.settings import PersonSettings
from handlers.vision import crop

ROOT = Path(__file__).parents[3]
PAIRS = ROOT / "tests" / "fixtures" / "pairs"
WIDTH_PX, HEIGHT_PX = 384, 512


@dataclass(frozen=True)
class Rendered:
    """One person: the picture, the true labels of ATR, the true joints by name."""

    rgb: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    joints: dict[str, NDArray[np.float64]]


def shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring a 3:4 photo to the frame."""
    return crop.resized(picture, WIDTH_PX, HEIGHT_PX)


@pytest.fixture(scope="session")
def rendered() -> Callable[[str], Rendered]:
    """Give a function that reads a person by name, such as p01."""
    pairs = json.loads((PAIRS / "pairs.json").read_text())

    def person(name: str) -> Rendered:
        picture = cv2.imread(str(PAIRS / "persons" / f"{name}.jpg"))
        labels = cv2.imread(str(PAIRS / "persons" / f"{name}_label.png"), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        assert labels is not None
        told = next(one for one in pairs["pairs"] if one["person"].endswith(f"{name}.jpg"))
        scale = WIDTH_PX / pairs["width"]
        joints = {key: np.array(value[:2]) * scale for key, value in told["joints"].items()}
        return Rendered(
            shrunk(np.ascontiguousarray(picture[..., ::-1])),
            crop.resized_labels(np.asarray(labels, np.uint8), WIDTH_PX, HEIGHT_PX),
            joints,
        )

    return person


@pytest.fixture(scope="session")
def landmarks() -> LandmarkUnderstanding:
    """Load the real detector once."""
    return LandmarkUnderstanding(Loader(lambda: BodyLandmarks(0.5)), 0.3)


@pytest.fixture(scope="session")
def person_settings() -> PersonSettings:
    """Read the settings as shipped."""
    sections = yaml.safe_load((ROOT / "config" / "person.yaml").read_text())
    return read(PersonSettings, sections["handler"], "handler")
