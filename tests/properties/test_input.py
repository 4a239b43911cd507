"""Properties 27, 28, 30 and 31: what is asked for."""

import re
import string
from base64 import b64encode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.domain.options import Category
from gateway.schemas.requests import PersonOptions, TryOnOptions
from tests.gateway import pictures
from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio
for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
PHOTO = {"base64": b64encode(pictures.png((64, 80))).decode()}
ENGINE_NAME = re.compile(r"[a-z0-9_]{1,64}")
FILES = ("user_image", "garment_image", "mask", "densepose")
NAMES = {*TryOnOptions.model_fields, *PersonOptions.model_fields, "options", *FILES}
WRONG = {
    "width_px": st.integers(max_value=511) | st.integers(min_value=2049) | st.just("wide"),
    "height_px": st.integers(max_value=767) | st.integers(min_value=2049),
    "steps": st.integers(max_value=0) | st.integers(min_value=151) | st.floats(1.1, 1.9),
    "guidance_scale": st.floats(max_value=-0.1, allow_infinity=False) | st.floats(30.1, 1e6),
    "seed": st.integers(max_value=-1) | st.integers(min_value=2**32),
    "pose_seed": st.integers(max_value=-1) | st.integers(min_value=2**32),
    "strength": st.floats(max_value=-0.01, allow_infinity=False) | st.floats(1.01, 100),
    "keep_unmasked": st.sampled_from(["perhaps", "", 2]),
    "num_samples": st.integers(max_value=0) | st.integers(min_value=5),
    "preset": st.text(max_size=9).filter(lambda text: not ENGINE_NAME.fullmatch(text)),
    "deadline_s": st.floats(max_value=0, allow_infinity=False) | st.just("soon"),
    "least_steps": st.integers(max_value=0) | st.floats(1.1, 1.9),
    "preview_every": st.integers(max_value=0) | st.just("often"),
    "output_format": st.sampled_from(["gif", "JPEG", "", "svg"]),
    "auto_crop": st.sampled_from(["perhaps", "", 2]),
    "engine": st.text(max_size=9).filter(lambda text: not ENGINE_NAME.fullmatch(text)),
    "garment_description": st.text(min_size=501, max_size=520) | st.just("a\x00b"),
}


def refused_fields(answer_json: dict[str, object]) -> set[str]:
    details = answer_json["details"]
    assert isinstance(details, dict)
    return {fault["field"].removeprefix("options.") for fault in details["fields"]}


@pytest.mark.prop(27)
@for_all
@given(wrong=st.fixed_dictionaries({}, optional=WRONG).filter(bool))
async def test_every_bad_parameter_is_named(gateway: Gateway, wrong: dict[str, object]) -> None:
    body = {"user_image": PHOTO, "garment_image": PHOTO, "options": wrong}
    answer = await gateway.tryon_json(body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert refused_fields(answer.json()) == set(wrong)


@pytest.mark.prop(27)
@for_all
@given(
    wrong=st.fixed_dictionaries(
        {}, optional={"auto_crop": WRONG["auto_crop"], "category": st.integers()}
    ).filter(bool)
)
async def test_every_bad_parameter_of_an_analysis_is_named(
    gateway: Gateway, wrong: dict[str, object]
) -> None:
    answer = await gateway.analyse_json({"user_image": PHOTO, "options": wrong})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert refused_fields(answer.json()) == set(wrong)


@pytest.mark.prop(27)
@for_all
@given(steps=st.integers(1, 19) | st.integers(51, 150))
async def test_what_an_engine_cannot_do_is_named_with_its_range(
    gateway: Gateway, steps: int
) -> None:
    answer = await gateway.tryon(fields={"engine": "diffusion", "steps": steps})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    (fault,) = answer.json()["details"]["fields"]
    assert (fault["field"], fault["minimum"], fault["maximum"]) == ("steps", 20, 50)


html = st.builds(
    lambda before, tag, after: before + tag + after,
    st.text(max_size=10),
    st.sampled_from(["<script>alert(1)</script>", "<img src=x onerror=y>", "</title>", "<!--"]),
    st.text(max_size=10),
)


@pytest.mark.prop(28)
@for_all
@given(text=html, place=st.sampled_from(["garment_description", "category", "engine", "unknown"]))
async def test_html_in_any_string_comes_out_harmless(
    gateway: Gateway, text: str, place: str
) -> None:
    options = {text: 1} if place == "unknown" else {place: text}
    body = {"user_image": PHOTO, "options": options}
    for answer in (
        await gateway.tryon_json(body | {"garment_image": PHOTO}),
        await gateway.analyse_json(body),
    ):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"<" not in answer.content
        assert b">" not in answer.content
        assert "<" not in "".join(answer.headers.values())


@pytest.mark.prop(30)
@for_all
@given(category=st.text(max_size=20))
async def test_a_category_outside_its_enum_is_refused(gateway: Gateway, category: str) -> None:
    assume(category not in {*Category, "full_body"})
    body = {"user_image": PHOTO, "garment_image": PHOTO, "options": {"category": category}}
    answer = await gateway.tryon_json(body)
    del body["garment_image"]
    for refusal in (answer, await gateway.analyse_json(body)):
        assert refusal.status_code == 422
        assert refused_fields(refusal.json()) == {"category"}


@pytest.mark.prop(31)
@for_all
@given(name=st.text(string.ascii_letters + "_-[]. ", min_size=1, max_size=20))
async def test_an_unknown_field_is_refused_by_name(gateway: Gateway, name: str) -> None:
    assume(name not in NAMES)
    by_form = await gateway.tryon(fields={name: "1"})
    assert by_form.status_code == 422
    assert refused_fields(by_form.json()) == {name}
    by_json = await gateway.tryon_json({"user_image": PHOTO, "garment_image": PHOTO, name: 1})
    analysis = await gateway.analyse_json({"user_image": PHOTO, name: 1})
    analysis_by_form = await gateway.analyse(fields={name: "1"})
    for refusal in (by_json, analysis, analysis_by_form):
        assert refusal.status_code == 422
        assert refused_fields(refusal.json()) == {name}
