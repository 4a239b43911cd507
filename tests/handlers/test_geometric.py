"""The embedded engine as a worker runs it: real detector, real pictures."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from handlers import images
from handlers.errors import HandlerError, Unfit
from handlers.geometric import GeometricHandler
from handlers.images import Size
from handlers.request import Params, TryOnRequest
from handlers.settings import GeometricSettings, read
from handlers.stages import Stages
from tests.handlers.torchserve_rows import ROOT, config

SAMPLES = ROOT / "gateway" / "web" / "samples"
PERSON = (SAMPLES / "people" / "man-grey-tee.jpg").read_bytes()
GARMENT = (SAMPLES / "garments" / "logo-tee.jpg").read_bytes()
OTHER_GARMENT = (SAMPLES / "garments" / "plaid-shirt.jpg").read_bytes()
SMALL = Params("upper_body", "png", 576, 768)
ASKED = TryOnRequest(SMALL, PERSON, GARMENT)


@pytest.fixture(scope="module")
def loaded() -> Iterator[GeometricHandler]:
    handler = GeometricHandler()
    handler.settings = read(GeometricSettings, config()["handler"], "handler")
    handler.load()
    yield handler
    handler._landmarks.get().close()


@pytest.fixture
def handler(loaded: GeometricHandler) -> GeometricHandler:
    loaded._empty_caches()
    return loaded


def silent() -> Stages:
    return Stages((), lambda _stage, _step, _of: None)


def pixels(encoded: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return images.decode(encoded, "result", 10**8)


def png(picture: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


@pytest.mark.prop(14)
@pytest.mark.prop(15)
def test_a_try_on_runs_every_stage_and_gives_a_picture(handler: GeometricHandler) -> None:
    stages = silent()
    outcome = handler.run(ASKED, stages)
    assert set(GeometricHandler.stages) <= stages.elapsed_ms.keys()
    (encoded,) = outcome.images
    assert pixels(encoded).shape == (768, 576, 3)
    assert outcome.metadata["width_px"] == 576
    assert 0 < outcome.metadata["confidence"] <= 1


def test_what_is_said_to_be_kept_is_kept_exactly(handler: GeometricHandler) -> None:
    outcome = handler.run(ASKED, silent())
    photo = images.resize(pixels(PERSON), Size(576, 768))
    same = np.all(pixels(outcome.images[0]) == photo, axis=2)
    assert outcome.metadata["kept_share"] == pytest.approx(same.mean(), abs=1e-4)
    assert 0.5 < same.mean() < 0.98


@pytest.mark.parametrize("white", [0.0, 0.5])
def test_a_mask_keeps_what_it_covers(handler: GeometricHandler, white: float) -> None:
    mask = np.zeros((768, 576), np.uint8)
    mask[: int(768 * white)] = 255
    outcome = handler.run(replace(ASKED, mask=png(mask)), silent())
    photo = images.resize(pixels(PERSON), Size(576, 768))
    changed = np.any(pixels(outcome.images[0]) != photo, axis=2)
    assert not changed[mask == 0].any()
    assert changed.any() == (white > 0)


@pytest.mark.prop(17)
def test_a_second_garment_does_not_look_at_the_person_again(handler: GeometricHandler) -> None:
    stages = [silent(), silent()]
    first = handler.run(ASKED, stages[0])
    second = handler.run(replace(ASKED, garment_image=OTHER_GARMENT), stages[1])
    assert first.metadata["cache"] == {"person": "miss", "garment": "miss"}
    assert second.metadata["cache"] == {"person": "hit", "garment": "miss"}
    assert "pose" in stages[0].elapsed_ms
    assert "pose" not in stages[1].elapsed_ms
    assert handler.gauges()["vton_person_cache_hits"] == 1


def test_a_cached_person_gives_the_same_picture(handler: GeometricHandler) -> None:
    assert handler.run(ASKED, silent()).images == handler.run(ASKED, silent()).images


def test_nobody_in_the_photo_is_refused_by_reason(handler: GeometricHandler) -> None:
    wall = png(np.full((1024, 768, 3), 170, np.uint8))
    with pytest.raises(Unfit) as caught:
        handler.run(replace(ASKED, person_image=wall), silent())
    assert caught.value.details == {"image": "person_image", "reason": "no_person"}


def test_a_garment_photo_without_a_garment_is_refused(handler: GeometricHandler) -> None:
    wall = png(np.full((1024, 768, 3), 170, np.uint8))
    with pytest.raises(Unfit) as caught:
        handler.run(replace(ASKED, garment_image=wall), silent())
    assert caught.value.details["image"] == "garment_image"


def test_several_people_are_remarked_on(handler: GeometricHandler) -> None:
    one = pixels(PERSON)
    both = png(cv2.cvtColor(np.hstack([one, one[:, ::-1]]), cv2.COLOR_RGB2BGR))
    request = TryOnRequest(Params("upper_body", "png"), both, GARMENT)
    codes = [warning["code"] for warning in handler.run(request, silent()).metadata["warnings"]]
    assert "several_people" in codes


@pytest.mark.parametrize("category", ["upper_body", "lower_body", "dresses"])
def test_any_picture_gives_a_result_or_a_refusal(handler: GeometricHandler, category: str) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (300, 260, 3), np.uint8)
    for person, garment in ((png(noise), GARMENT), (PERSON, png(noise)), (GARMENT, PERSON)):
        request = TryOnRequest(replace(SMALL, category=category), person, garment)
        try:
            handler.run(request, silent())
        except HandlerError as error:
            assert error.code == "ML_4005"  # noqa: PT017


def test_warming_up_leaves_no_trace(handler: GeometricHandler) -> None:
    handler.settings = replace(
        handler.settings, warmup=replace(handler.settings.warmup, rounds=1, sizes_px=((576, 768),))
    )
    handler.warm_up()
    assert not any(handler.gauges().values())
