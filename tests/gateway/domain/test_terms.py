from typing import Any

import pytest

from gateway.domain.terms import Part, shown_path, terms_of
from gateway.errors.kinds import Misconfigured

FREE = {"engine": "one", "licence": "MIT", "commercial_use": True}


def terms(handler: object, offer: dict[str, Any] = FREE) -> tuple[Part, ...]:
    return terms_of({"tryon": offer, "handler": handler}, "tryon", "one.yaml")


def test_an_engine_without_models_within_has_its_own_terms_alone() -> None:
    own = Part("engine", "one", "MIT", commercial_use=True)
    for handler in ({}, None, {"understanding": None}, {"understanding": {"device": "cpu"}}):
        assert terms(handler) == (own,)


def test_a_safety_checker_counts_where_one_looks() -> None:
    checker = {"model_path": "", "licence": "MIT", "commercial_use": False}
    assert len(terms({"safety_checker": checker})) == 1
    found = terms({"safety_checker": checker | {"model_path": "models/checker"}})[1]
    assert (found.part, found.commercial_use, found.path) == (
        "safety_checker",
        False,
        "models/checker",
    )


def test_what_is_wrong_with_terms_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"one.yaml: handler.safety_checker.licence"):
        terms({"safety_checker": {"model_path": "", "commercial_use": True}})
    with pytest.raises(Misconfigured, match=r"one.yaml: tryon.commercial_use"):
        terms({}, FREE | {"commercial_use": "perhaps"})


@pytest.mark.parametrize(
    ("configured", "shown"),
    [
        ("models/one", "models/one"),
        ("./models/one", "./models/one"),
        ("", None),
        (None, None),
        (5, None),
        ("/srv/models", None),
        ("../models", None),
        ("models/../../etc", None),
    ],
)
def test_only_a_path_below_the_deployment_is_shown(configured: object, shown: str | None) -> None:
    assert shown_path(configured) == shown
