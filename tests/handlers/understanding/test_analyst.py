"""Which model answers, what is remembered and what a caller is told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.errors import Unfit
from handlers.settings import BadSetting
from handlers.stages import Stages
from handlers.understanding.analyst import Analyst
from handlers.understanding.settings import PersonSettings, UnderstandingSettings
from handlers.vision import crop
from tests.handlers.understanding import tiny_pretrained
from tests.handlers.understanding.conftest import HEIGHT_PX, WIDTH_PX, Rendered
from tests.handlers.understanding.densepose import tiny as tiny_densepose

Person = Callable[[str], Rendered]
PARTS = ("parser", "pose", "detector", "surface")


@pytest.fixture(scope="module")
def shipped(person_settings: PersonSettings) -> UnderstandingSettings:
    return person_settings.understanding


@pytest.fixture(scope="module")
def loaded(shipped: UnderstandingSettings) -> Analyst:
    return Analyst(shipped)


@pytest.fixture
def analyst(loaded: Analyst) -> Analyst:
    loaded.forget()
    return loaded


def with_path(settings: UnderstandingSettings, part: str, path: Path) -> UnderstandingSettings:
    chosen = getattr(settings, part)
    weights = replace(chosen.weights, path=str(path))
    changed: dict[str, Any] = {part: replace(chosen, weights=weights)}
    return replace(settings, **changed)


def codes(analyst: Analyst, rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> set[str]:
    return {notice.code for notice in analyst.understand(rgb).warnings}


def test_as_shipped_mediapipe_answers_for_every_part(analyst: Analyst, rendered: Person) -> None:
    understood = analyst.understand(rendered("p02").rgb)
    assert {(one.part, one.name, one.licence) for one in understood.models} == {
        (part, "mediapipe", "Apache-2.0") for part in PARTS
    }
    assert all(one.commercial_use for one in understood.models)
    assert understood.parse_map.shape == (HEIGHT_PX, WIDTH_PX)
    assert understood.densepose_parts.shape == (HEIGHT_PX, WIDTH_PX)
    assert understood.keypoints.shape == (18, 3)


def test_what_is_approximate_or_cut_off_is_said(analyst: Analyst, rendered: Person) -> None:
    cut = codes(analyst, rendered("p02").rgb)
    assert cut == {"parsing_approximate", "densepose_approximate", "person_cropped"}
    assert "person_cropped" not in codes(analyst, rendered("p01").rgb)


def test_a_hidden_arm_is_said_to_be_missing(analyst: Analyst, rendered: Person) -> None:
    photo = rendered("p02").rgb.copy()
    photo[:, :110] = photo[5, 5]  # a wall before the right arm
    told = analyst.understand(photo)
    assert not told.keypoints[4].any()
    (missing,) = [one for one in told.warnings if one.code == "keypoints_missing"]
    assert "right wrist" in missing.message


def test_several_people_are_remarked_on(analyst: Analyst, rendered: Person) -> None:
    large, small = rendered("p02").rgb, crop.resized(rendered("p06").rgb, 192, 256)
    photo = np.full((HEIGHT_PX, WIDTH_PX + 192, 3), small[0, 0], np.uint8)
    photo[:, :WIDTH_PX] = large
    photo[-256:, WIDTH_PX:] = small
    understood = analyst.understand(photo)
    assert "several_people" in {notice.code for notice in understood.warnings}
    nose = understood.keypoints[0]
    assert nose[0] < WIDTH_PX  # the larger one


@pytest.mark.prop(17)
def test_a_photo_is_understood_once(analyst: Analyst, rendered: Person) -> None:
    stages = [Stages((), lambda *_: None) for _ in range(2)]
    photo = rendered("p03").rgb
    first, first_hit = analyst.look(photo, stages[0])
    second, second_hit = analyst.look(photo.copy(), stages[1])
    assert (first_hit, second_hit) == (False, True)
    assert second is first
    assert {"pose", "segmentation"} <= stages[0].elapsed_ms.keys()
    assert not stages[1].elapsed_ms
    counters = analyst.counters()
    assert (counters.hits, counters.misses, counters.entries) == (1, 1, 1)
    assert counters.held_bytes == first.nbytes


@pytest.mark.prop(17)
def test_what_does_not_fit_is_forgotten(shipped: UnderstandingSettings, rendered: Person) -> None:
    one = 2 * HEIGHT_PX * WIDTH_PX + 18 * 3 * 4
    small = Analyst(replace(shipped, cache_bytes=one))
    for name in ("p01", "p02"):
        small.understand(rendered(name).rgb)
    counters = small.counters()
    assert (counters.entries, counters.evictions, counters.held_bytes) == (1, 1, one)


def test_nobody_is_refused_and_not_remembered(analyst: Analyst) -> None:
    wall = np.full((HEIGHT_PX, WIDTH_PX, 3), 170, np.uint8)
    with pytest.raises(Unfit) as caught:
        analyst.understand(wall)
    assert caught.value.details == {"image": "person_image", "reason": "no_person"}
    assert analyst.counters().entries == 0


@pytest.mark.parametrize("part", PARTS)
def test_a_path_that_leads_nowhere_stops_the_load(
    shipped: UnderstandingSettings, tmp_path: Path, part: str
) -> None:
    with pytest.raises(BadCheckpoint, match="nowhere"):
        Analyst(with_path(shipped, part, tmp_path / "nowhere"))


@pytest.mark.parametrize(("part", "kind"), [("parser", "schp"), ("pose", "openpose")])
def test_the_other_kinds_stop_the_load_too(
    shipped: UnderstandingSettings, tmp_path: Path, part: str, kind: str
) -> None:
    settings = with_path(shipped, part, tmp_path / "nowhere")
    changed: dict[str, Any] = {part: replace(getattr(settings, part), kind=kind)}
    with pytest.raises(BadCheckpoint, match="nowhere"):
        Analyst(replace(settings, **changed))


@pytest.mark.parametrize("part", ["parser", "pose"])
def test_an_unknown_kind_is_named(shipped: UnderstandingSettings, part: str) -> None:
    changed: dict[str, Any] = {part: replace(getattr(shipped, part), kind="oracle")}
    with pytest.raises(BadSetting, match=f"handler.understanding.{part}.kind"):
        Analyst(replace(shipped, **changed))


def test_checkpoints_answer_for_the_parts_that_name_them(
    shipped: UnderstandingSettings, tmp_path: Path, rendered: Person
) -> None:
    settings = with_path(shipped, "parser", tiny_pretrained.segformer(tmp_path / "segformer"))
    settings = with_path(settings, "pose", tiny_pretrained.vitpose(tmp_path / "vitpose"))
    settings = replace(settings, pose=replace(settings.pose, min_score=0.0))
    understood = Analyst(settings).understand(rendered("p02").rgb)
    named = {one.part: (one.name, one.licence, one.commercial_use) for one in understood.models}
    assert named == {
        "parser": ("segformer", "LicenseRef-NVIDIA-SegFormer", False),
        "pose": ("vitpose", "Apache-2.0", True),
        "detector": ("mediapipe", "Apache-2.0", True),
        "surface": ("mediapipe", "Apache-2.0", True),
    }
    told = {notice.code for notice in understood.warnings}
    assert "parsing_approximate" not in told
    assert "densepose_approximate" in told


@pytest.mark.prop(14)
def test_every_part_may_be_a_checkpoint(
    shipped: UnderstandingSettings, tmp_path: Path, rendered: Person
) -> None:
    settings = with_path(shipped, "parser", tiny_pretrained.segformer(tmp_path / "segformer"))
    settings = with_path(settings, "pose", tiny_pretrained.vitpose(tmp_path / "vitpose"))
    settings = with_path(settings, "detector", tiny_pretrained.rt_detr(tmp_path / "rtdetr"))
    settings = with_path(settings, "surface", tiny_densepose.saved(tmp_path / "model.pkl"))
    analyst = Analyst(
        replace(
            settings,
            pose=replace(settings.pose, min_score=0.0),
            detector=replace(settings.detector, min_score=0.0),
            surface=replace(settings.surface, min_score=0.7),
        )
    )
    understood = analyst.understand(rendered("p02").rgb)
    assert [one.name for one in understood.models] == [
        "segformer",
        "vitpose",
        "densepose",
        "rtdetr",
    ]
    assert understood.parse_map.max() <= 18
    assert understood.keypoints.any()
    assert understood.densepose_parts.any()
    assert not {notice.code for notice in understood.warnings} & {
        "parsing_approximate",
        "densepose_approximate",
    }


def test_a_detector_is_asked_once_for_a_photo(
    shipped: UnderstandingSettings, tmp_path: Path, rendered: Person
) -> None:
    settings = with_path(shipped, "detector", tiny_pretrained.rt_detr(tmp_path / "rtdetr"))
    settings = replace(settings, detector=replace(settings.detector, min_score=0.0))
    understood = Analyst(settings).understand(rendered("p02").rgb)
    told = {notice.code for notice in understood.warnings}
    assert "several_people" in told  # a random network sees thirty
    assert understood.models[3].name == "rtdetr"
