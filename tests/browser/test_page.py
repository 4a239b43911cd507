"""The fitting room as a visitor uses it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_client import ANSWER as DRESSED
from tests.documentation import ROOT

SAMPLES = ROOT / "gateway" / "web" / "samples"
PERSON = SAMPLES / "people" / "woman-coral-tee.jpg"
GARMENT = SAMPLES / "garments" / "fitted-striped-tee.jpg"


def try_on(page: Page) -> None:
    page.get_by_role("button", name="Try it on").click()
    expect(page.locator("#outcome")).to_be_visible()


def choose(page: Page, label: str) -> None:
    page.get_by_title(label, exact=True).click()
    expect(page.get_by_role("radio", name=label, exact=True)).to_be_checked()


def own(page: Page, picker: str, file: Path) -> None:
    page.locator(f"#{picker} input[type=file]").set_input_files(file)


def without_sessions(page: Page) -> None:
    """Let the server be one that keeps no sessions."""
    page.route("**/api/v1/tryon/sessions", lambda route: route.fulfill(status=404, json={}))


def streamed(*events: tuple[str, Mapping[str, object]]) -> dict[str, str]:
    """A stream of events as a route answers with it."""
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return {"body": body, "content_type": "text/event-stream"}


def test_samples_are_tried_on_and_compared(page: Page) -> None:
    choose(page, "Ochre tee, hand on hip")
    choose(page, "Striped tee")
    try_on(page)
    expect(page.locator("#facts")).to_contain_text("geometric")
    width = page.locator("#after-photo").evaluate("image => image.naturalWidth")
    assert width >= 512
    line = page.get_by_role("slider", name="Compare before and after")
    line.press("Home")
    assert page.locator("#frame").evaluate("f => f.style.getPropertyValue('--split')") == "0%"


def test_the_result_can_be_downloaded_and_kept_on(page: Page) -> None:
    try_on(page)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    assert downloading.value.suggested_filename == "try-on.jpg"
    page.get_by_role("button", name="Keep it on").click()
    expect(page.get_by_role("radio", name="Dressed")).to_be_checked()


def test_own_photos_are_tried_on(page: Page) -> None:
    without_sessions(page)
    own(page, "people", PERSON)
    own(page, "garments", GARMENT)
    expect(page.get_by_role("radio", name="Your own")).to_have_count(2)
    with page.expect_response("**/api/v1/process-tryon") as answering:
        try_on(page)
    assert answering.value.ok


def test_a_sample_knows_how_it_is_worn(page: Page) -> None:
    choose(page, "Pinstripe trousers")
    expect(page.get_by_role("radio", name="Bottom")).to_be_checked()


def test_a_file_that_is_no_picture_is_refused_at_once(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "me.jpg"
    text.write_text("I am not a picture.")
    own(page, "people", text)
    expect(page.locator("#people").get_by_role("alert")).to_contain_text("not a picture")
    expect(page.get_by_role("radio", name="Your own")).to_have_count(0)


def test_a_refusal_is_told_with_its_request_id(page: Page) -> None:
    without_sessions(page)
    own(page, "people", GARMENT)
    with page.expect_response("**/api/v1/process-tryon") as answering:
        page.get_by_role("button", name="Try it on").click()
    trouble = page.locator("#trouble")
    expect(trouble).to_contain_text(answering.value.headers["x-request-id"])
    expect(page.locator("#people").get_by_role("alert")).to_be_visible()


def test_a_busy_server_is_asked_again(page: Page) -> None:
    without_sessions(page)
    asked: list[str] = []

    def busy_once(route: Route) -> None:
        asked.append(route.request.method)
        if len(asked) > 1:
            route.continue_()
        else:
            route.fulfill(status=503, headers={"Retry-After": "0"}, json={})

    page.route("**/api/v1/process-tryon", busy_once)
    try_on(page)
    assert asked == ["POST", "POST"]


def test_an_unreachable_server_is_told(page: Page) -> None:
    without_sessions(page)
    page.route("**/api/v1/process-tryon", lambda route: route.fulfill(status=502, body="<html>"))
    page.get_by_role("button", name="Try it on").click()
    expect(page.locator("#trouble")).to_contain_text("The server answered 502.")


def test_a_try_on_can_be_cancelled(page: Page) -> None:
    without_sessions(page)
    page.route("**/api/v1/process-tryon", lambda _: None)  # an answer that never comes
    page.get_by_role("button", name="Try it on").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Try it on")).to_be_enabled()
    expect(page.locator("#working")).to_be_hidden()


STEP = {"stage": "garment_transfer", "step": 5, "of": 30, "queue_position": 0, "estimate_s": 11.2}


KEEP_BACK_THE_END = """
const usual = window.fetch;
window.fetch = async (url, request) => {
  if (!String(url).endsWith("/process-tryon")) return usual(url, request);
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    start(controller) {
      for (const half of [EVENTS.slice(0, 9), EVENTS.slice(9)])
        controller.enqueue(encoder.encode(half));
      request.signal.addEventListener("abort", () => controller.error(request.signal.reason));
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
};
"""


def test_every_step_and_preview_is_shown_while_it_works(page: Page, site: str) -> None:
    without_sessions(page)
    preview = {"step": 5, "of": 30, "image": "/samples/garments/thumbs/logo-tee.jpg"}
    events = streamed(("progress", STEP | {"queue_position": 2}), ("progress", STEP))["body"]
    events += streamed(("preview", preview))["body"]
    page.add_init_script(f"const EVENTS = {json.dumps(events)};{KEEP_BACK_THE_END}")
    page.goto(site)
    page.locator("#go:enabled").click()
    told = page.locator("#working-text")
    expect(told).to_contain_text("Dressing, step 5 of 30, about 12 s to go")
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 5)
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    for gone in ("#working", "#preview", "#trouble"):
        expect(page.locator(gone)).to_be_hidden()


def test_an_error_in_the_stream_is_told_as_any_other(page: Page) -> None:
    without_sessions(page)
    error = {"error_code": "ML_4007", "message": "It cannot be.", "request_id": "r7", "details": {}}
    answer = streamed(("progress", STEP), ("error", error))
    page.route("**/api/v1/process-tryon", lambda route: route.fulfill(**answer))
    page.get_by_role("button", name="Try it on").click()
    expect(page.locator("#trouble")).to_contain_text("It cannot be.")
    expect(page.locator("#trouble")).to_contain_text("r7")


OFFERED: list[tuple[str, bool, list[str], dict[str, dict[str, int]]]] = [
    ("geometric", True, ["seed"], {}),
    ("idm_vton", False, ["seed", "steps", "preview_every"], {"fast": {}, "quality": {}}),
    ("away", False, [], {}),
]
ENGINES: list[dict[str, Any]] = [
    {
        "engine": name,
        "is_default": is_default,
        "ready": name != "away",
        "categories": ["upper_body"],
        "options": options,
        "ranges": {},
        "presets": presets,
        "deadline_s": 60,
    }
    for name, is_default, options, presets in OFFERED
]


@pytest.fixture
def choosy(page: Page, site: str) -> Page:
    """The fitting room of a deployment with two engines that are ready."""
    without_sessions(page)
    page.route("**/api/v1/models", lambda route: route.fulfill(json={"engines": ENGINES}))
    page.goto(site)
    page.locator("#go:enabled").wait_for()
    return page


def sent_options(page: Page) -> dict[str, object]:
    """Try on, and give the options that went out; only a routed request shows its body."""
    with page.expect_request("**/api/v1/process-tryon") as asking:
        page.get_by_role("button", name="Try it on").click()
    body = asking.value.post_data_buffer or b""
    found = re.search(rb'name="options"\r\n\r\n(.*?)\r\n', body)
    assert found
    options: dict[str, object] = json.loads(found[1])
    return options


def test_a_single_engine_is_no_choice(page: Page) -> None:
    without_sessions(page)
    page.route("**/api/v1/process-tryon", lambda _: None)
    assert "engine" not in sent_options(page)
    expect(page.locator("#engines")).to_be_hidden()


def test_among_ready_engines_the_visitor_chooses(choosy: Page) -> None:
    choice = choosy.locator("#engines")
    expect(choice.get_by_role("radio")).to_have_count(2)
    expect(choice.get_by_role("radio", name="geometric")).to_be_checked()
    choice.get_by_text("idm_vton").click()
    choosy.route("**/api/v1/process-tryon", lambda _: None)
    assert sent_options(choosy) == {
        "category": "upper_body",
        "engine": "idm_vton",
        "preset": "quality",
        "preview_every": 3,
    }


def test_presets_are_a_choice_where_the_engine_has_some(choosy: Page) -> None:
    presets = choosy.locator("#presets")
    expect(presets).to_be_hidden()
    choosy.locator("#engines").get_by_text("idm_vton").click()
    expect(presets.get_by_role("radio", name="quality")).to_be_checked()
    presets.get_by_text("fast").click()
    choosy.route("**/api/v1/process-tryon", lambda _: None)
    assert sent_options(choosy)["preset"] == "fast"


def test_the_same_again_is_drawn_anew_where_chance_draws(choosy: Page) -> None:
    answer = {**DRESSED, "result_url": choosy.locator("#before").get_attribute("src")}
    choosy.route("**/api/v1/process-tryon", lambda route: route.fulfill(json=answer))
    for engine, is_drawn in (("geometric", False), ("idm_vton", True)):
        choosy.locator("#engines").get_by_text(engine).click()
        assert "seed" not in sent_options(choosy)
        expect(choosy.locator("#outcome")).to_be_visible()
        assert ("seed" in sent_options(choosy)) is is_drawn


def test_the_page_fits_a_phone(page: Page) -> None:
    try_on(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    page.locator("#people input[type=file]").focus()
    reached = []
    for _ in range(7):
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.id"))
        page.keyboard.press("Tab")
    assert reached[1:] == ["people", "", "garments", "several", "category", "go"]
