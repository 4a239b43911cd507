"""Skirts, dresses and bare legs: worn by a rendered person by way of the embedded engine itself."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from handlers.landmarks import BodyLandmarks
from handlers.vision import crop, garment, person, tryon
from handlers.vision.body_labels import parse_map
from handlers.vision.person import Person
from tests.handlers.vision.conftest import PAIRS, Pair, read_rgb

Rgb = NDArray[np.uint8]
WIDTH_PX, HEIGHT_PX = 384, 512
UPPER, SKIRT, TROUSERS, DRESS, SHOES, LEGS = 4, 5, 6, 7, [9, 10], [12, 13]
SAMPLES = PAIRS.parents[2] / "gateway" / "web" / "samples"


def drawn_dress() -> Rgb:
    """Draw the product photo of a green sleeveless dress."""
    picture = np.full((900, 600, 3), 255, np.uint8)
    half = [(265, 60), (215, 60), (200, 230), (215, 330), (120, 820)]
    outline = [(300, 110), *half, *((600 - x, y) for x, y in half[::-1])]
    cv2.fillPoly(picture, [np.array(outline)], (40, 120, 60))
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(picture + noise * (picture < 250), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def standing(pair: Callable[[str], Pair]) -> Person:
    """Give a person seen from head to toe."""
    return pair("p01_pin_w").person


@pytest.fixture
def understood(detector: BodyLandmarks) -> Callable[[Rgb], Rgb]:
    """Give a function from a photo to its labels, in the usual frame."""

    def labels(photo: Rgb) -> Rgb:
        frame = crop.resized(photo, WIDTH_PX, HEIGHT_PX)
        return parse_map(person.analyse(frame, detector.detect(frame)))

    return labels


def worn(standing: Person, product: Rgb, category: str) -> Rgb:
    return tryon.dress(standing, garment.analyse(product, category)).image


def test_trousers_are_trousers(standing: Person, understood: Callable[[Rgb], Rgb]) -> None:
    labels = understood(standing.rgb)
    assert (labels == TROUSERS).any()
    assert not np.isin(labels, [SKIRT, DRESS, *LEGS]).any()


def test_a_skirt_is_a_skirt_over_bare_legs(
    standing: Person, understood: Callable[[Rgb], Rgb]
) -> None:
    product = read_rgb(SAMPLES / "garments" / "banded-skirt.jpg")
    labels = understood(worn(standing, product, "lower_body"))
    assert not np.isin(labels, [TROUSERS, DRESS]).any()
    assert (labels == UPPER).any()
    skirt, legs = np.argwhere(labels == SKIRT), np.argwhere(np.isin(labels, LEGS))
    assert abs(skirt[:, 0].max() - legs[:, 0].min()) < 0.03 * HEIGHT_PX
    shoes = np.argwhere(np.isin(labels, SHOES))
    assert len(shoes) > 100
    assert shoes[:, 0].mean() > legs[:, 0].mean()


def test_a_dress_is_one_garment(standing: Person, understood: Callable[[Rgb], Rgb]) -> None:
    labels = understood(worn(standing, drawn_dress(), "dresses"))
    assert (labels == DRESS).sum() > 0.05 * labels.size
    assert not np.isin(labels, [UPPER, SKIRT, TROUSERS]).any()
    assert np.isin(labels, LEGS).any()
