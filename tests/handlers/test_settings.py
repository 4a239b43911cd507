from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.settings import BadSetting, GeometricSettings, Plain, read
from tests.handlers.torchserve_rows import config

SHIPPED = config()


def leaves(section: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in section.items():
        here = (*path, key)
        found += leaves(value, here) if isinstance(value, dict) else [here]
    return found


LEAVES = leaves(SHIPPED["handler"])


def changed(path: tuple[str, ...], value: object) -> dict[str, Any]:
    section: dict[str, Any] = deepcopy(SHIPPED["handler"])
    holder = section
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return section


def test_the_shipped_configuration_is_read() -> None:
    settings = read(GeometricSettings, SHIPPED["handler"], "handler")
    assert settings.limits.min_width_px == SHIPPED["handler"]["limits"]["min_width_px"]
    assert settings.warmup.sizes_px[0] == tuple(SHIPPED["handler"]["warmup"]["sizes_px"][0])


@pytest.mark.prop(37)
@given(
    path=st.sampled_from(LEAVES),
    wrong=st.sampled_from([None, True, [], {}, {"a": 1}, b"x", object()]),
)
def test_a_value_of_the_wrong_type_stops_the_load_by_name(
    path: tuple[str, ...], wrong: object
) -> None:
    if path[-1] == "sizes_px" and wrong == []:
        return  # no warm-up at all is a valid wish
    with pytest.raises(BadSetting, match=rf"handler\.{'.'.join(path)}"):
        read(GeometricSettings, changed(path, wrong), "handler")


@pytest.mark.prop(37)
@pytest.mark.parametrize(("path", "value"), [(p, "8") for p in LEAVES if p[0] == "limits"])
def test_a_number_written_as_text_is_refused(path: tuple[str, ...], value: str) -> None:
    with pytest.raises(BadSetting, match="expected a whole number"):
        read(GeometricSettings, changed(path, value), "handler")


@pytest.mark.prop(37)
@given(path=st.sampled_from(LEAVES), name=st.from_regex(r"\A[a-z_]{3,12}\Z"))
def test_an_unknown_key_is_refused_by_name(path: tuple[str, ...], name: str) -> None:
    section = changed((*path[:-1], name), 1)
    if section == SHIPPED["handler"] or name in [p[-1] for p in LEAVES] or name in section:
        section = changed((*path[:-1], "unheard_of"), 1)
        name = "unheard_of"
    with pytest.raises(BadSetting, match=rf"{name}: unknown setting"):
        read(GeometricSettings, section, "handler")


@given(path=st.sampled_from(LEAVES))
def test_a_missing_key_is_named(path: tuple[str, ...]) -> None:
    section = changed(path, 1)
    holder = section
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    with pytest.raises(BadSetting, match=rf"handler\.{'.'.join(path)}: missing"):
        read(GeometricSettings, section, "handler")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A section with every form a field may have."""

    ranges: Mapping[str, tuple[float, float]]
    defaults: Mapping[str, Plain]
    device: str | None


DRAWN: dict[str, Any] = {
    "ranges": {"steps": [20, 50]},
    "defaults": {"steps": 30, "guidance_scale": 2.5, "auto_crop": True, "word": "a"},
    "device": None,
}


def test_mappings_and_unions_are_read() -> None:
    read_back = read(Drawn, DRAWN, "drawn")
    assert read_back.ranges == {"steps": (20.0, 50.0)}
    assert read_back.defaults == DRAWN["defaults"]
    assert type(read_back.defaults["steps"]) is int


@pytest.mark.prop(37)
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"ranges": [20, 50]}, "drawn.ranges: expected a mapping"),
        ({"ranges": {"steps": [20]}}, "drawn.ranges.steps: expected 2 values"),
        ({"ranges": {"steps": [20, "50"]}}, r"drawn.ranges.steps\[1\]: expected a number"),
        ({"defaults": {"steps": None}}, "drawn.defaults.steps: expected true or false or a whole"),
        ({"device": 1}, "drawn.device: expected a text or nothing"),
    ],
)
def test_a_wrong_value_within_a_mapping_is_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSetting, match=named):
        read(Drawn, {**DRAWN, **wrong}, "drawn")
