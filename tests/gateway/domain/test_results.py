from dataclasses import replace

from pydantic import JsonValue

from gateway.domain.images import Picture
from gateway.domain.jobs import Prediction
from gateway.domain.options import Engine, Plan
from gateway.domain.results import finished_metadata, request_key
from gateway.domain.terms import Part

TERMS = (Part("engine", "geometric", "Apache-2.0", commercial_use=True),)
ENGINE = Engine("geometric", "geometric", frozenset(), TERMS)
PLAN = Plan(ENGINE, {"category": "upper_body", "output_format": "jpeg"}, ())
IMAGES = {"person_image": Picture(b"person", 1, 1), "garment_image": Picture(b"garment", 1, 1)}


def test_the_same_request_has_the_same_key() -> None:
    reordered = dict(reversed(IMAGES.items()))
    params = dict(reversed(list(PLAN.params.items())))
    assert request_key(IMAGES, PLAN, "1.0", "me") == request_key(
        reordered, replace(PLAN, params=params), "1.0", "me"
    )


def test_whatever_changes_the_result_changes_the_key() -> None:
    swapped = {
        "person_image": IMAGES["garment_image"],
        "garment_image": IMAGES["person_image"],
    }
    keys = {
        request_key(IMAGES, PLAN, "1.0", "me"),
        request_key(IMAGES, PLAN, "1.1", "me"),
        request_key(IMAGES, PLAN, None, "me"),
        request_key(IMAGES, PLAN, "1.0", "you"),
        request_key(swapped, PLAN, "1.0", "me"),
        request_key(IMAGES | {"mask": Picture(b"mask", 1, 1)}, PLAN, "1.0", "me"),
        request_key(IMAGES, replace(PLAN, params={**PLAN.params, "seed": 1}), "1.0", "me"),
        request_key(IMAGES, replace(PLAN, engine=replace(ENGINE, name="other")), "1.0", "me"),
    }
    assert len(keys) == 8


def test_metadata_says_under_which_licence_and_what_was_ignored() -> None:
    ignored: dict[str, JsonValue] = {"code": "x_unused", "message": "…"}
    reported: dict[str, JsonValue] = {"code": "several_people", "message": "…"}
    metadata = finished_metadata(
        Prediction((b"image",), {"engine": "geometric", "warnings": [reported]}),
        replace(PLAN, warnings=(ignored,)),
    )
    assert metadata == {
        "engine": "geometric",
        "warnings": [reported, ignored],
        "licence": "Apache-2.0",
        "commercial_use": True,
    }
