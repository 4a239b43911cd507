"""The diffusion engine as a worker runs it: the tiny published repository, real pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handlers import images
from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.diffusion.settings import IdmVtonSettings
from handlers.errors import BadParameters
from handlers.idm_vton import IdmVtonHandler
from handlers.models import read_offer
from handlers.request import TryOnRequest
from handlers.settings import BadSetting, GarmentOffer, Preset, read
from handlers.stages import Stages
from tests.handlers.diffusion import deployment, tiny
from tests.handlers.torchserve_rows import ROOT

SAMPLES = ROOT / "gateway" / "web" / "samples"
PERSON = (SAMPLES / "people" / "man-grey-tee.jpg").read_bytes()
GARMENT = (SAMPLES / "garments" / "logo-tee.jpg").read_bytes()
Rgb = NDArray[np.uint8]


def configured(**changes: str) -> IdmVtonHandler:
    handler, sections = IdmVtonHandler(), deployment.sections()
    sections["handler"] |= changes
    handler.settings = read(IdmVtonSettings, sections["handler"], "handler")
    handler.offer = read_offer(sections)
    return handler


@pytest.fixture(scope="module")
def loaded() -> IdmVtonHandler:
    handler = configured()
    handler.load()
    return handler


@pytest.fixture
def handler(loaded: IdmVtonHandler) -> IdmVtonHandler:
    loaded._forget()
    return loaded


def silent() -> Stages:
    return Stages((), lambda _stage, _step, _of: None)


def png(picture: NDArray[Any]) -> bytes:
    told = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    return bytes(cv2.imencode(".png", told)[1].tobytes())


def pixels(encoded: bytes) -> Rgb:
    return images.decode(encoded, "result", 10**8)


def asked(params: dict[str, Any], **pictures: bytes) -> TryOnRequest:
    sections = deployment.sections()
    shown = {"person_image": PERSON, "garment_image": GARMENT, **pictures}
    told = {"category": "upper_body", "output_format": "png", **params}
    return TryOnRequest.read(told, shown, read_offer(sections))


def golden() -> tuple[TryOnRequest, Rgb]:
    case = tiny.case("app_b1_ddpm")
    person, mask, pose, garment = (
        png(case.pictures(kind)[0]) for kind in ("person", "mask", "pose", "garment")
    )
    params = {
        "seed": case.told["generator_seed"],
        "pose_seed": case.told["global_seed_for_pose_encoding"],
        "steps": case.told["num_inference_steps"],
        "guidance_scale": case.told["guidance_scale"],
        "garment_description": case.told["descriptions"][0],
    }
    request = asked(params, person_image=person, garment_image=garment, mask=mask, densepose=pose)
    return request, case.golden["output_uint8"][0].numpy()


def test_the_golden_s_picture_comes_out_within_a_grey_level() -> None:
    request, expected = golden()
    original = configured(garment_latents="sample")
    original.load()
    outcome = original.run(request, silent())
    painted = pixels(outcome.images[0]).astype(int)
    assert np.abs(painted - expected).max() <= 1
    assert outcome.metadata["models"] == []  # nothing had to be understood


@pytest.mark.prop(14)
@pytest.mark.parametrize("category", ["upper_body", "lower_body", "dresses"])
def test_a_try_on_of_a_photo_runs_every_stage(handler: IdmVtonHandler, category: str) -> None:
    stages = silent()
    outcome = handler.run(asked({"category": category, "seed": 1}), stages)
    assert set(IdmVtonHandler.stages) <= stages.elapsed_ms.keys()
    assert pixels(outcome.images[0]).shape == (128, 96, 3)
    assert 0.02 < outcome.metadata["mask_share"] < 0.9


@pytest.mark.prop(15)
@settings(max_examples=100, deadline=None)
@given(width=st.integers(60, 400), height=st.integers(60, 400))
def test_a_result_has_the_photo_s_proportions_and_the_least_size(width: int, height: int) -> None:
    photo = png(np.zeros((height, width, 3), np.uint8))
    found = configured()._frame(asked({}, person_image=photo)).photo.shape
    assert found[1] >= 96
    assert found[0] >= 128
    assert abs(found[1] / found[0] - width / height) < 0.05 * width / height


def test_the_shipped_configuration_keeps_the_promised_size() -> None:
    limits = yaml.safe_load(deployment.CONFIG.read_text())["handler"]["limits"]
    assert (limits["min_width_px"], limits["min_height_px"]) == (512, 768)


def test_what_lies_outside_the_mask_is_the_photo_s_own(handler: IdmVtonHandler) -> None:
    request, _ = golden()
    kept = replace(request, params=replace(request.params, keep_unmasked=True))
    photo, mask = pixels(request.person_image), pixels(request.mask or b"")[..., 0] >= 128
    painted = pixels(handler.run(kept, silent()).images[0])
    assert np.array_equal(painted[~mask], photo[~mask])
    assert not np.array_equal(painted[mask], photo[mask])


def test_a_mask_without_white_is_refused_before_anything_is_painted(
    handler: IdmVtonHandler,
) -> None:
    request, _ = golden()
    black = replace(request, mask=png(np.zeros((128, 96), np.uint8)))
    with pytest.raises(BadParameters) as refused:
        handler.run(black, silent())
    assert "must be white" in refused.value.details["fields"]["mask"]


def test_a_wide_photo_is_cropped_and_pasted_back(handler: IdmVtonHandler) -> None:
    photo = np.random.default_rng(2).integers(0, 256, (128, 256, 3), np.uint8)
    pictures = {"person_image": png(photo), "densepose": png(photo), "mask": png(photo[..., 0])}
    box = asked({"seed": 1, "width_px": 512, "height_px": 768}, **pictures)
    outcome = handler.run(box, silent())
    painted = pixels(outcome.images[0])
    assert painted.shape == photo.shape
    assert np.array_equal(painted[:, :80], photo[:, :80])
    whole = handler.run(replace(box, params=replace(box.params, auto_crop=False)), silent())
    assert not np.array_equal(pixels(whole.images[0])[:, :80], photo[:, :80])


@pytest.mark.prop(17)
def test_the_second_try_on_sees_nothing_twice(handler: IdmVtonHandler) -> None:
    fresh = png(np.ascontiguousarray(pixels(PERSON)[:, ::-1]))
    first = handler.run(asked({"seed": 1}, person_image=fresh), silent())
    stages = silent()
    second = handler.run(asked({"seed": 1}, person_image=fresh), stages)
    assert first.metadata["cache"]["person"] == "miss"
    assert second.metadata["cache"] == {"person": "hit", "garment": "hit", "features": "hit"}
    assert "pose" not in stages.elapsed_ms
    assert first.images == second.images


@pytest.mark.prop(16)
def test_each_sample_is_the_picture_of_its_own_seed(handler: IdmVtonHandler) -> None:
    request, _ = golden()
    several = replace(request, params=replace(request.params, num_samples=2, pose_seed=None))
    outcome = handler.run(several, silent())
    assert outcome.metadata["seeds"] == [42, 43]
    alone = replace(several, params=replace(several.params, num_samples=1, seed=43))
    one = pixels(handler.run(alone, silent()).images[0]).astype(int)
    assert np.abs(one - pixels(outcome.images[1])).max() <= 1


def test_every_step_is_announced(handler: IdmVtonHandler) -> None:
    told: list[tuple[str, int, int]] = []
    request, _ = golden()
    handler.run(request, Stages((), lambda *step: told.append(step)))
    assert told == [("garment_transfer", step, 4) for step in (1, 2, 3, 4)]


def test_a_strength_that_leaves_no_step_is_named(handler: IdmVtonHandler) -> None:
    with pytest.raises(BadParameters) as refused:
        handler.run(asked({"steps": 2, "strength": 0.1}), silent())
    assert refused.value.details["fields"] == {"strength": "must leave one of 2 steps at least"}


def test_a_folder_without_a_model_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="nothing: no such folder"):
        configured(model_path=str(tmp_path / "nothing")).load()


def test_an_unknown_sampler_stops_the_start() -> None:
    with pytest.raises(BadSetting, match=r"handler\.sampler: expected one of ddpm, ddim"):
        configured(sampler="plms").load()


def test_a_preset_of_an_unknown_sampler_stops_the_start() -> None:
    handler = configured()
    presets = {"odd": Preset(8, "plms", 0.0, 1.0, 1)}
    handler.offer = replace(cast("GarmentOffer", handler.offer), presets=presets)
    with pytest.raises(BadSetting, match=r"tryon\.presets\.odd\.sampler: expected one of"):
        handler.load()


def test_a_preset_is_told_and_what_of_it_is_approximate(handler: IdmVtonHandler) -> None:
    told = handler.run(asked({"preset": "fast", "step_cache": 2}), silent()).metadata
    assert (told["preset"], told["sampler"], told["steps"]) == ("fast", "dpmpp_2m", 8)
    assert told["approximate"] == ["guidance_interval", "step_cache"]


def test_without_a_preset_nothing_is_approximate(handler: IdmVtonHandler) -> None:
    told = handler.run(asked({}), silent()).metadata
    assert (told["preset"], told["sampler"], told["approximate"]) == (None, "ddpm", [])


def test_quality_is_what_the_engine_does_unasked() -> None:
    shipped = yaml.safe_load(deployment.CONFIG.read_text())
    quality = read_offer(shipped).named()["quality"]
    assert quality.options().items() <= shipped["tryon"]["defaults"].items()
    assert quality.sampler == shipped["handler"]["sampler"]


def test_a_lowered_request_keeps_what_else_was_asked(handler: IdmVtonHandler) -> None:
    request = asked({"guidance_scale": 3.5, "num_samples": 2, "steps": 20})
    lowered = handler.lowered(request, 8)
    assert lowered.params == replace(request.params, steps=8)


def test_unknown_garment_latents_stop_the_start() -> None:
    with pytest.raises(BadSetting, match=r"handler\.garment_latents: expected one of mode, sample"):
        configured(garment_latents="mean").load()


def test_a_device_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(BadSetting, match=r"handler\.device: expected auto, cpu, cuda"):
        configured(device="tpu").load()
