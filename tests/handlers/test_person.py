"""The person worker as TorchServe runs it: real pictures, MediaPipe behind the contract."""

import ast
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from handlers.errors import Unfit
from handlers.models import read_offer, read_settings
from handlers.person import PersonHandler
from handlers.request import PersonParams, PersonRequest
from handlers.stages import Stages
from handlers.understanding.settings import PersonSettings
from tests.handlers.torchserve_rows import ROOT

PERSON = (ROOT / "gateway" / "web" / "samples" / "people" / "man-grey-tee.jpg").read_bytes()
ASKED = PersonRequest(PersonParams("upper_body"), PERSON)
SECTIONS = yaml.safe_load((ROOT / "config" / "person.yaml").read_text())


@pytest.fixture(scope="module")
def loaded() -> PersonHandler:
    handler = PersonHandler()
    settings = read_settings(SECTIONS)
    assert isinstance(settings, PersonSettings)
    handler.settings, handler.offer = settings, read_offer(SECTIONS)
    handler.load()
    return handler


@pytest.fixture
def handler(loaded: PersonHandler) -> PersonHandler:
    loaded._analyst.forget()
    return loaded


def silent() -> Stages:
    return Stages((), lambda *_: None)


def png(picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


def decoded(encoded: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def photo() -> NDArray[np.uint8]:
    return decoded(PERSON)


@pytest.mark.prop(14)
@pytest.mark.prop(15)
def test_an_answer_lies_in_the_photo_s_own_frame(handler: PersonHandler) -> None:
    stages = silent()
    outcome = handler.run(ASKED, stages)
    assert set(PersonHandler.stages) <= stages.elapsed_ms.keys()
    assert outcome.names == ("mask", "parse_map", "densepose")
    mask, labels, surface = (decoded(one) for one in outcome.images)
    height_px, width_px = photo().shape[:2]
    assert mask.shape == labels.shape == (height_px, width_px)
    assert surface.shape == (height_px, width_px, 3)
    assert (outcome.metadata["width_px"], outcome.metadata["height_px"]) == (width_px, height_px)
    assert set(np.unique(mask)) == {0, 255}
    shirt = labels == outcome.metadata["labels"]["upper_clothes"]
    assert mask[shirt].mean() > 0.97 * 255
    names = outcome.metadata["keypoint_names"]
    nose = outcome.metadata["keypoints"][names.index("nose")]
    assert labels[round(nose[1]), round(nose[0])] == outcome.metadata["labels"]["face"]
    assert surface[round(nose[1]), round(nose[0])].any()


@pytest.mark.parametrize("category", ["upper_body", "lower_body", "dresses"])
def test_the_mask_follows_the_category(handler: PersonHandler, category: str) -> None:
    request = replace(ASKED, params=PersonParams(category))
    outcome = handler.run(request, silent())
    mask, labels, _ = (decoded(one) for one in outcome.images)
    assert outcome.metadata["category"] == category
    trousers = mask[labels == outcome.metadata["labels"]["pants"]].mean() / 255
    assert (trousers > 0.9) == (category != "upper_body")


def test_a_wide_photo_is_understood_in_its_middle(handler: PersonHandler) -> None:
    whole = photo()
    scene = np.full((whole.shape[0], whole.shape[1] + 400, 3), whole[0, 0], np.uint8)
    scene[:, 200:-200] = whole
    wide = handler.run(replace(ASKED, person_image=png(scene)), silent())
    usual = handler.run(ASKED, silent())
    moved = np.array(wide.metadata["keypoints"][0]) - [200, 0, 0]
    assert moved == pytest.approx(np.array(usual.metadata["keypoints"][0]), abs=6)
    mask = decoded(wide.images[0])
    assert not mask[:, :190].any()
    assert mask.shape == scene.shape[:2]


def test_without_the_crop_all_of_the_photo_is_seen(handler: PersonHandler) -> None:
    whole = photo()
    scene = np.full((whole.shape[0], whole.shape[1] * 2, 3), whole[0, 0], np.uint8)
    scene[:, : whole.shape[1]] = whole  # at the left, which a crop would cut
    params = PersonParams("upper_body", auto_crop=False)
    outcome = handler.run(PersonRequest(params, png(scene)), silent())
    labels = decoded(outcome.images[1])
    assert (labels[:, : whole.shape[1] // 2] > 0).any()
    assert not (labels[:, int(whole.shape[1] * 1.1) :] > 0).any()


@pytest.mark.prop(17)
def test_another_category_does_not_look_at_the_person_again(handler: PersonHandler) -> None:
    first = handler.run(ASKED, silent())
    stages = silent()
    second = handler.run(replace(ASKED, params=PersonParams("dresses")), stages)
    assert first.metadata["cache"] == {"person": "miss"}
    assert second.metadata["cache"] == {"person": "hit"}
    assert "pose" not in stages.elapsed_ms
    assert handler.gauges()["vton_person_cache_hits"] == 1
    assert second.metadata["keypoints"] == first.metadata["keypoints"]


def test_warnings_and_models_say_what_answered(handler: PersonHandler) -> None:
    told = handler.run(ASKED, silent()).metadata
    assert {one["code"] for one in told["warnings"]} >= {"densepose_approximate"}
    assert {one["part"] for one in told["models"]} == {"parser", "pose", "surface", "detector"}
    assert all(one["licence"] == "Apache-2.0" for one in told["models"])


def test_a_photo_without_legs_has_nothing_to_repaint_below(handler: PersonHandler) -> None:
    head_and_chest = photo()[:520]
    params = PersonParams("lower_body", auto_crop=False)
    outcome = handler.run(PersonRequest(params, png(head_and_chest)), silent())
    assert not decoded(outcome.images[0]).any()
    assert outcome.metadata["warnings"][-1]["code"] == "mask_empty"


def test_nobody_in_the_photo_is_refused_by_reason(handler: PersonHandler) -> None:
    wall = png(np.full((400, 300, 3), 170, np.uint8))
    with pytest.raises(Unfit) as caught:
        handler.run(replace(ASKED, person_image=wall), silent())
    assert caught.value.details == {"image": "person_image", "reason": "no_person"}


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (64, 48)])
def test_any_small_picture_gives_a_result_or_a_refusal(
    handler: PersonHandler, size: tuple[int, int]
) -> None:
    noise: Any = np.random.default_rng(7).integers(0, 256, (*size, 3), np.uint8)
    with pytest.raises(Unfit):
        handler.run(replace(ASKED, person_image=png(noise)), silent())


def test_warming_up_leaves_no_trace(handler: PersonHandler) -> None:
    handler.warm_up()
    assert not any(handler.gauges().values())


def test_the_entry_file_holds_exactly_one_class() -> None:
    tree = ast.parse((ROOT / "handlers" / "person.py").read_text())
    assert sum(isinstance(node, ast.ClassDef) for node in tree.body) == 1
