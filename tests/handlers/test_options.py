from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.errors import BadParameters
from handlers.options import FORMATS, check_offer, read_options
from handlers.request import BodiesParams, Params, PersonParams
from handlers.settings import BadSetting, BodiesOffer, GarmentOffer, Preset

OFFER = GarmentOffer(
    engine="diffusion",
    categories=("upper_body", "lower_body", "dresses"),
    options=(
        *("category", "output_format", "width_px", "height_px", "steps", "guidance_scale"),
        *("auto_crop", "garment_description", "mask"),
    ),
    ranges={
        "width_px": (512, 2048),
        "height_px": (768, 2048),
        "steps": (20, 50),
        "guidance_scale": (1.0, 10.0),
    },
    defaults={"steps": 30, "auto_crop": True},
    licence="Apache-2.0",
    commercial_use=True,
)
VALID: dict[str, Any] = {"category": "upper_body", "output_format": "jpeg"}

junk = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)


def faults(raw: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadParameters) as caught:
        read_options(Params, raw, OFFER)
    assert caught.value.code == "VAL_2001"
    found: dict[str, str] = caught.value.details["fields"]
    return found


@given(
    category=st.sampled_from(OFFER.categories),
    output_format=st.sampled_from(FORMATS),
    width_px=st.integers(512, 2048),
    steps=st.integers(20, 50),
    guidance_scale=st.floats(1, 10) | st.integers(1, 10),
    auto_crop=st.booleans(),
    garment_description=st.text(max_size=500),
)
def test_what_the_engine_offers_is_read(**raw: Any) -> None:  # noqa: ANN401
    assert read_options(Params, raw, OFFER) == Params(**raw)


def test_what_is_left_out_takes_the_engine_s_default() -> None:
    assert read_options(Params, VALID, OFFER) == Params(**VALID, steps=30, auto_crop=True)
    assert read_options(Params, {**VALID, "steps": 40}, OFFER).steps == 40


@pytest.mark.prop(31)
@given(name=st.text(max_size=20), value=junk)
def test_an_unknown_field_is_refused_by_name(name: str, value: object) -> None:
    if name not in Params.__slots__:
        assert faults({**VALID, name: value})[name] == "unknown field"


@pytest.mark.prop(30)
@given(category=st.one_of(junk, st.text(max_size=12)))
def test_a_category_outside_the_enum_is_refused(category: object) -> None:
    if category not in OFFER.categories:
        assert "upper_body" in faults({**VALID, "category": category})["category"]


@pytest.mark.prop(27)
@given(
    name=st.sampled_from(["width_px", "steps"]), value=st.one_of(junk, st.integers(max_value=19))
)
def test_a_whole_number_of_the_wrong_type_or_range_is_named(name: str, value: object) -> None:
    assert list(faults({**VALID, name: value})) == [name]


@pytest.mark.prop(27)
@pytest.mark.parametrize("value", [0.99, 10.01, float("nan"), float("inf"), "2", True, None])
def test_a_number_outside_the_range_of_the_engine_is_named(value: object) -> None:
    fault = faults({**VALID, "guidance_scale": value})["guidance_scale"]
    assert fault in ("must be a number", "must be from 1 to 10")


@pytest.mark.prop(27)
@pytest.mark.parametrize(
    ("name", "value"),
    [("auto_crop", 1), ("auto_crop", "yes"), ("garment_description", "x" * 501)],
)
def test_a_flag_or_a_text_that_is_none_is_named(name: str, value: object) -> None:
    assert list(faults({**VALID, name: value})) == [name]


def test_an_option_the_engine_cannot_honour_is_named() -> None:
    assert faults({**VALID, "seed": 7}) == {
        "seed": "the diffusion engine cannot honour this option"
    }


def test_every_fault_is_named_at_once() -> None:
    assert set(faults({"category": "hat", "steps": 4, "width_px": "wide", "colour": 1})) == {
        "category",
        "output_format",
        "steps",
        "width_px",
        "colour",
    }


PRESET_OFFER = replace(
    OFFER,
    options=(*OFFER.options, "preset", "guidance_from", "guidance_until", "step_cache"),
    ranges={
        **OFFER.ranges,
        "steps": (4, 50),
        "guidance_from": (0, 1),
        "guidance_until": (0, 1),
        "step_cache": (1, 5),
    },
    presets={"fast": Preset(8, "dpmpp_2m", 0.0, 0.75, 2)},
)


def test_a_preset_stands_for_what_is_not_said() -> None:
    asked = {**VALID, "preset": "fast", "step_cache": 1}
    read = read_options(Params, asked, PRESET_OFFER)
    assert read == Params(
        **asked, steps=8, guidance_from=0.0, guidance_until=0.75, auto_crop=True
    )  # beside what the engine takes in any case


def test_a_preset_may_be_the_default() -> None:
    offer = replace(PRESET_OFFER, defaults={**OFFER.defaults, "preset": "fast"})
    check_offer(Params, offer, "tryon")
    assert read_options(Params, VALID, offer).steps == 8
    assert read_options(Params, {**VALID, "steps": 31}, offer).steps == 31


def test_a_preset_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadParameters):
        read_options(Params, {**VALID, "preset": "magic"}, PRESET_OFFER)


def changed(**fields: Any) -> GarmentOffer:  # noqa: ANN401
    return replace(OFFER, **fields)


@pytest.mark.prop(37)
@pytest.mark.parametrize(
    ("offer", "named"),
    [
        (changed(options=(*OFFER.options, "colour")), "tryon.options: there is no option colour"),
        (changed(options=("category",)), "tryon.options: output_format is missing"),
        (changed(options=(*OFFER.options, "seed")), "tryon.ranges.seed: missing"),
        (changed(ranges={**OFFER.ranges, "steps": (50, 20)}), "tryon.ranges.steps: not the range"),
        (changed(ranges={**OFFER.ranges, "mask": (0, 1)}), "tryon.ranges.mask: not the range"),
        (changed(defaults={"steps": 5}), "tryon.defaults.steps: must be from 20 to 50"),
        (changed(defaults={"seed": 5}), "tryon.defaults.seed: the diffusion engine cannot"),
        (changed(defaults={"colour": 5}), "tryon.defaults.colour: unknown field"),
        (changed(presets=PRESET_OFFER.presets), "tryon.presets.fast.steps: must be from 20 to 50"),
        (
            replace(PRESET_OFFER, presets={"fast": Preset(8, "ddpm", 0.0, 2.0, 1)}),
            "tryon.presets.fast.guidance_until: must be from 0 to 1",
        ),
    ],
)
def test_an_offer_that_cannot_be_kept_is_refused_by_name(offer: GarmentOffer, named: str) -> None:
    with pytest.raises(BadSetting, match=named):
        check_offer(Params, offer, "tryon")


def test_an_analysis_offers_its_own_options() -> None:
    offer = changed(options=("category", "auto_crop"), ranges={}, defaults={"auto_crop": False})
    check_offer(PersonParams, offer, "analysis")
    read = read_options(PersonParams, {"category": "dresses"}, offer)
    assert read == PersonParams("dresses", auto_crop=False)


BODIES = BodiesOffer(
    engine="drawn",
    options=(
        *("count", "height_cm", "weight_kg", "output_format", "ethnicity", "skin_tone"),
        "width_px",
    ),
    ranges={
        "count": (1, 10),
        "height_cm": (140, 220),
        "weight_kg": (40, 200),
        "width_px": (500, 1500),
    },
    multiples={"width_px": 32},
    choices={"ethnicity": ("asian", "black"), "skin_tone": ("fair", "tan")},
    defaults={},
    licence="Apache-2.0",
    commercial_use=True,
)
BODY: dict[str, Any] = {"count": 1, "height_cm": 170, "weight_kg": 65.5, "output_format": "png"}


def body_faults(raw: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadParameters) as caught:
        read_options(BodiesParams, raw, BODIES)
    found: dict[str, str] = caught.value.details["fields"]
    return found


@given(
    count=st.integers(1, 10),
    height_cm=st.floats(140, 220),
    weight_kg=st.floats(40, 200) | st.integers(40, 200),
    ethnicity=st.sampled_from(["asian", "black"]),
)
def test_bodies_within_the_offer_are_read(**raw: Any) -> None:  # noqa: ANN401
    asked = {**raw, "output_format": "png"}
    assert read_options(BodiesParams, asked, BODIES) == BodiesParams(**asked)


@pytest.mark.prop(29)
@given(height_cm=st.floats() | st.integers() | junk)
def test_a_height_outside_its_range_is_refused(height_cm: object) -> None:
    if type(height_cm) not in (int, float) or not 140 <= height_cm <= 220:  # type: ignore[operator]
        assert list(body_faults({**BODY, "height_cm": height_cm})) == ["height_cm"]


@pytest.mark.prop(29)
@given(weight_kg=st.floats() | st.integers() | junk)
def test_a_weight_outside_its_range_is_refused(weight_kg: object) -> None:
    if type(weight_kg) not in (int, float) or not 40 <= weight_kg <= 200:  # type: ignore[operator]
        assert list(body_faults({**BODY, "weight_kg": weight_kg})) == ["weight_kg"]


@pytest.mark.prop(28)
@pytest.mark.prop(30)
@pytest.mark.parametrize("name", ["ethnicity", "skin_tone"])
@given(value=junk | st.text() | st.just("fair, <script>nude</script>"))
def test_a_choice_is_a_listed_name_and_no_text(name: str, value: object) -> None:
    names = BODIES.choices[name]
    if value not in names:
        assert body_faults({**BODY, name: value}) == {name: f"must be one of {', '.join(names)}"}


@pytest.mark.prop(27)
@given(width_px=st.integers(400, 1600) | st.integers(15, 48).map(lambda number: number * 32))
def test_a_size_is_a_multiple_of_what_the_engine_says(width_px: int) -> None:
    asked = {**BODY, "width_px": width_px}
    if not 500 <= width_px <= 1500:
        assert body_faults(asked) == {"width_px": "must be from 500 to 1500"}
    elif width_px % 32:
        assert body_faults(asked) == {"width_px": "must be a multiple of 32"}
    else:
        assert read_options(BodiesParams, asked, BODIES).width_px == width_px


@pytest.mark.prop(37)
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"multiples": {"height_cm": 2}}, "bodies.multiples.height_cm: not what an option is"),
        ({"multiples": {"width_px": 0}}, "bodies.multiples.width_px: not what an option is"),
        ({"defaults": {"width_px": 800, "count": 1.5}}, "bodies.defaults.count: must be a whole"),
        ({"defaults": {"width_px": 810}}, "bodies.defaults.width_px: must be a multiple of 32"),
        ({"choices": {"ethnicity": ("asian",)}}, "bodies.choices.skin_tone: missing"),
        ({"choices": {**BODIES.choices, "count": ("1",)}}, "bodies.choices.count: not a choice"),
        ({"defaults": {"ethnicity": "elf"}}, "bodies.defaults.ethnicity: must be one of"),
    ],
)
def test_choices_that_cannot_be_kept_are_refused_by_name(
    changes: dict[str, Any], named: str
) -> None:
    check_offer(BodiesParams, BODIES, "bodies")
    with pytest.raises(BadSetting, match=named):
        check_offer(BodiesParams, replace(BODIES, **changes), "bodies")
