import pytest
from pydantic import JsonValue

from gateway.domain.bodies import Drawing
from gateway.errors.kinds import InferenceFailed

TOLD: dict[str, JsonValue] = {"seeds": [7, 8], "ai_generated": True, "solver": "euler"}


def test_every_picture_has_its_seed() -> None:
    assert Drawing.of(TOLD, 2) == Drawing(seeds=(7, 8), ai_generated=True, blocked=0)
    assert Drawing.of(TOLD | {"blocked": 1}, 2).blocked == 1


@pytest.mark.parametrize(
    ("changed", "pictures"),
    [({}, 1), ({}, 3), ({"seeds": None}, 2), ({"ai_generated": False}, 2)],
)
def test_what_does_not_fit_its_pictures_is_a_failure(
    changed: dict[str, JsonValue], pictures: int
) -> None:
    with pytest.raises(InferenceFailed):
        Drawing.of(TOLD | changed, pictures)
