"""People drawn as a worker draws them: the tiny SDXL, options as they come over the wire."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from handlers import images
from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.diffusion.sdxl_settings import SdxlSettings
from handlers.errors import BadParameters
from handlers.models import read_offer
from handlers.options import FORMATS
from handlers.provenance import SOURCE_TYPE
from handlers.request import BodiesRequest
from handlers.sdxl import SdxlHandler
from handlers.settings import BadSetting, read
from handlers.stages import Stages
from tests.handlers.diffusion import sdxl_deployment, tiny_sdxl

BODY: dict[str, Any] = {"count": 1, "height_cm": 172, "weight_kg": 68.5, "output_format": "png"}


def configured(**changes: Any) -> SdxlHandler:  # noqa: ANN401  any setting
    handler, sections = SdxlHandler(), sdxl_deployment.sections()
    sections["handler"] |= changes
    handler.settings = read(SdxlSettings, sections["handler"], "handler")
    handler.offer = read_offer(sections)
    return handler


def checked_by(folder: Path, threshold: float) -> SdxlHandler:
    path = str(tiny_sdxl.write_checker(folder, threshold))
    terms = {"licence": "LicenseRef-None", "commercial_use": False}
    handler = configured(safety_checker={"model_path": path, **terms})
    handler.load()
    return handler


@pytest.fixture(scope="module")
def handler() -> SdxlHandler:
    made = configured()
    made.load()
    return made


def silent() -> Stages:
    return Stages((), lambda _stage, _step, _of: None)


def asked(**options: Any) -> BodiesRequest:  # noqa: ANN401  any option
    offer = read_offer(sdxl_deployment.sections())
    return BodiesRequest.read({**BODY, **options}, {}, offer)


def pixels(encoded: bytes) -> NDArray[np.uint8]:
    return images.decode(encoded, "result", 10**6)


@pytest.mark.prop(16)
def test_each_picture_is_that_of_its_own_seed(handler: SdxlHandler) -> None:
    several = handler.run(asked(count=4, seed=40), silent())
    assert several.metadata["seeds"] == [40, 41, 42, 43]
    shown = [pixels(one) for one in several.images]
    assert len({picture.tobytes() for picture in shown}) == 4
    alone = pixels(handler.run(asked(seed=42), silent()).images[0])
    assert np.abs(alone.astype(int) - shown[2]).max() <= 1


def test_without_a_seed_every_run_is_another(handler: SdxlHandler) -> None:
    seeds = [handler.run(asked(), silent()).metadata["seeds"][0] for _ in range(2)]
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_picture_is_marked_as_generated(handler: SdxlHandler, output_format: str) -> None:
    outcome = handler.run(asked(output_format=output_format), silent())
    assert outcome.metadata["ai_generated"] is True
    assert outcome.metadata["digital_source_type"] == SOURCE_TYPE
    with Image.open(io.BytesIO(outcome.images[0])) as opened:
        assert opened.format == output_format.upper()
        assert "trainedAlgorithmicMedia" in str(opened.info)
        assert opened.size == (sdxl_deployment.WIDTH_PX, sdxl_deployment.HEIGHT_PX)


# The tiny tokenizer knows letters, so that only the prompt's beginning is seen.
@pytest.mark.parametrize("changed", [{"ethnicity": "black"}, {"gender": "woman"}])
def test_who_is_asked_for_changes_the_picture(
    handler: SdxlHandler, changed: dict[str, Any]
) -> None:
    one, other = (handler.run(asked(seed=1, **options), silent()) for options in ({}, changed))
    assert not np.array_equal(pixels(one.images[0]), pixels(other.images[0]))


def test_every_step_is_announced(handler: SdxlHandler) -> None:
    told: list[tuple[str, int, int]] = []
    handler.run(asked(count=3), Stages((), lambda *step: told.append(step)))
    # Two pictures and then one, in three steps each.
    assert told == [("drawing", step, 9) for step in (2, 4, 6, 7, 8, 9)]


def test_pictures_that_fit_at_once_take_the_steps_that_were_asked_for(
    handler: SdxlHandler,
) -> None:
    told: list[tuple[str, int, int]] = []
    handler.run(asked(count=2, steps=4), Stages((), lambda *step: told.append(step)))
    assert told == [("drawing", step, 4) for step in (1, 2, 3, 4)]


def test_a_size_that_the_networks_cannot_draw_is_named() -> None:
    with pytest.raises(BadParameters) as refused:
        asked(width_px=70, height_px=112)
    fault = "must be a multiple of 32"
    assert refused.value.details["fields"] == {"width_px": fault, "height_px": fault}


@pytest.mark.prop(37)
@pytest.mark.parametrize("multiples", [{}, {"width_px": 32}, {"width_px": 32, "height_px": 24}])
def test_sizes_that_cannot_be_drawn_may_not_be_offered(multiples: dict[str, int]) -> None:
    made, sections = configured(), sdxl_deployment.sections()
    sections["bodies"]["multiples"] = multiples
    made.offer = read_offer(sections)
    with pytest.raises(BadSetting, match=r"bodies\.multiples\.\w+: must be a multiple of 16"):
        made.load()


def test_a_wish_counts_every_picture_s_steps(handler: SdxlHandler) -> None:
    wish = handler.wish(asked(count=3, steps=7))
    assert (wish.steps, wish.asked, wish.bucket) == (21, 7, ("sdxl", 96, 64))
    fewer = handler.lowered(asked(count=3, steps=7), 5)
    assert fewer == asked(count=3, steps=5)


def test_a_size_can_be_asked_for(handler: SdxlHandler) -> None:
    outcome = handler.run(asked(width_px=96, height_px=128), silent())
    assert pixels(outcome.images[0]).shape == (128, 96, 3)


def test_a_blocked_picture_is_dropped_counted_and_told(tmp_path: Path) -> None:
    outcome = checked_by(tmp_path, -1.0).run(asked(count=3), silent())
    assert outcome.images == ()
    assert outcome.metadata["seeds"] == []
    assert (outcome.metadata["blocked"], outcome.metadata["safety_checked"]) == (3, True)


def test_what_is_checked_and_fine_leaves(tmp_path: Path) -> None:
    outcome = checked_by(tmp_path, 1.0).run(asked(count=2), silent())
    assert len(outcome.images) == 2
    assert (outcome.metadata["blocked"], outcome.metadata["safety_checked"]) == (0, True)


def test_nobody_checks_where_no_checker_is_named(handler: SdxlHandler) -> None:
    told = handler.run(asked(), silent()).metadata
    assert (told["blocked"], told["safety_checked"]) == (0, False)


def test_the_environment_names_another_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VTON_SDXL_MODEL", str(tmp_path / "other"))
    with pytest.raises(BadCheckpoint, match="other: no such folder"):
        configured().load()


@pytest.mark.prop(37)
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"solver": "magic"}, "handler.solver: expected one of euler, dpmpp_2m"),
        ({"max_images_per_forward": 0}, "handler.max_images_per_forward"),
        ({"memory": "6gb"}, "handler.memory: expected auto, 8gb"),
        ({"device": "tpu"}, "handler.device: expected auto, cpu, cuda"),
    ],
)
def test_a_wrong_setting_stops_the_start_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSetting, match=named):
        configured(**changes).load()


@pytest.mark.prop(37)
def test_guidance_cannot_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sections = configured(), sdxl_deployment.sections()
    sections["bodies"]["ranges"]["guidance_scale"] = [1.0, 5.0]
    monkeypatch.setattr(made, "offer", read_offer(sections), raising=False)
    with pytest.raises(BadSetting, match=r"bodies\.ranges\.guidance_scale: must begin above 1"):
        made.load()


@pytest.mark.prop(25)
def test_the_networks_are_loaded_once(handler: SdxlHandler) -> None:
    assert handler._assembled.get() is handler._assembled.get()


@pytest.mark.parametrize(("memory", "at_once"), [("8gb", 1), ("12gb", 1), ("auto", 2)])
def test_a_small_memory_draws_the_same_in_smaller_companies(
    handler: SdxlHandler, memory: str, at_once: int
) -> None:
    small = configured(memory=memory)
    small.load()
    outcome = small.run(asked(count=3, seed=9), silent())
    assert outcome.metadata["runtime"]["images_per_forward"] == at_once
    for one, other in zip(
        outcome.images, handler.run(asked(count=3, seed=9), silent()).images, strict=True
    ):
        assert np.abs(pixels(one).astype(int) - pixels(other)).max() <= 1
