from typing import Any

import pytest

from gateway.domain.analysis import PICTURES, Analysis
from gateway.errors.kinds import InferenceFailed

TOLD: dict[str, Any] = {
    "images": ["parse_map", "densepose", "mask"],
    "width_px": 96,
    "height_px": 120,
    "keypoint_names": ["nose", "neck"],
    "keypoints": [None, [1, 2.5, 0.5]],
    "labels": {"background": 0},
    "warnings": [],
    "models": [],
}


def test_only_joints_that_were_found_are_told() -> None:
    assert list(Analysis.of(TOLD).found()) == [("neck", (1.0, 2.5, 0.5))]


def test_pictures_go_by_their_names_whatever_their_order() -> None:
    assert Analysis.of(TOLD).by_name(["a", "b", "c"]) == {
        "parse_map": "a",
        "densepose": "b",
        "mask": "c",
    }


@pytest.mark.parametrize("missing", TOLD)
def test_an_analysis_that_lacks_something_is_a_failure(missing: str) -> None:
    told = {name: value for name, value in TOLD.items() if name != missing}
    with pytest.raises(InferenceFailed):
        Analysis.of(told)


@pytest.mark.parametrize(
    "wrong",
    [
        {"keypoints": [None]},
        {"keypoints": [None, [1, 2]]},
        {"keypoints": [None, ["left", 2, 0.5]]},
        {"labels": ["background"]},
        *({"images": sorted(PICTURES - {name})} for name in PICTURES),
    ],
)
def test_an_analysis_that_does_not_fit_together_is_a_failure(wrong: dict[str, Any]) -> None:
    with pytest.raises(InferenceFailed):
        Analysis.of(TOLD | wrong)


def test_more_pictures_than_names_are_a_failure() -> None:
    with pytest.raises(InferenceFailed):
        Analysis.of(TOLD).by_name(["a", "b", "c", "d"])
