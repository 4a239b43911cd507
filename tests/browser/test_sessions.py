"""Sessions in a browser: what the client sends and resumes, and a page that outlives a reload."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_page import GARMENT, PERSON, choose, own, try_on

SESSIONS = "**/api/v1/tryon/sessions"
EVENTS = "**/api/v1/tryon/sessions/*/events"
SESSION: dict[str, Any] = {
    "session_id": "s1",
    "state": "processing",
    "engine": "geometric",
    "queue_position": 1,
    "estimate_s": 2.5,
    "last_event": 3,
    "expires_at": "2026-11-22T00:00:00Z",
    "items": [],
}
LISTEN = """(url) => new Promise((resolve) => {
  const heard = [];
  const source = new EventSource(url);
  for (const name of ["state", "item", "progress"])
    source.addEventListener(name, (event) => heard.push([name, event.lastEventId]));
  source.onerror = () => source.readyState === EventSource.CLOSED && resolve(heard);
})"""
INPUTS = """async () => {
  const { TryOnClient } = await import("/client.js");
  const { SessionClient } = await import("/sessions.js");
  const sessions = new SessionClient(new TryOnClient(), { userToken: "m".repeat(32) });
  return sessions.inputs("s1");
}"""
REMOVE = INPUTS.replace("inputs", "remove")
FETCH = "async (url) => (await fetch(url, { cache: 'no-store' })).status"
WATCH = """async ({ after }) => {
  const { TryOnClient } = await import("/client.js");
  const { SessionClient } = await import("/sessions.js");
  const sessions = new SessionClient(new TryOnClient(), { userToken: "m".repeat(32) });
  const heard = [];
  for await (const event of sessions.watch("s1", { after })) heard.push([event.name, event.id]);
  return heard;
}"""


def event(number: int, name: str, **data: object) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


ALL = [
    event(1, "state", state="created"),
    event(2, "state", state="processing"),
    event(3, "progress", item=0, stage="x", step=1, of=2),
    event(4, "item", item=0, state="failed"),
    event(5, "state", state="failed"),
]


@pytest.mark.parametrize("cut", range(6))
def test_a_watch_that_is_cut_goes_on_where_it_broke(page: Page, cut: int) -> None:
    asked: list[int] = []

    def answer(route: Route) -> None:
        after = int(route.request.headers["last-event-id"])
        assert route.request.headers["x-user-token"] == "m" * 32
        asked.append(after)
        told = ALL[after:cut] if len(asked) == 1 else ALL[after:]
        body = "retry: 1000\n\n: still here\n\n" + "".join(told)
        route.fulfill(body=body, content_type="text/event-stream")

    page.route(EVENTS, answer)
    page.route("**/api/v1/tryon/sessions/s1", lambda route: route.fulfill(json=SESSION))
    heard = page.evaluate(WATCH, {"after": 0})
    assert [number for _, number in heard] == [1, 2, 3, 4, 5]
    assert asked == ([0] if cut == len(ALL) else [0, cut])


def test_a_session_shows_what_it_was_made_with(page: Page) -> None:
    links = {"user_image": "/api/v1/inputs/p", "garment_image": "/api/v1/inputs/g"}
    told = {"session_id": "s1", "items": [{"item": 0, "image_urls": links}]}
    page.route("**/api/v1/tryon/sessions/s1/inputs", lambda route: route.fulfill(json=told))
    (shown,) = page.evaluate(INPUTS)
    assert {field: url.partition("/api")[2] for field, url in shown.items()} == {
        "user_image": "/v1/inputs/p",
        "garment_image": "/v1/inputs/g",
    }


def test_who_removes_a_session_is_given_the_receipt_as_it_was_signed(page: Page) -> None:
    receipt = {"receipt_id": "s1", "erased": {"photos": 2}, "signature": "abc"}
    page.route("**/api/v1/tryon/sessions/s1", lambda route: route.fulfill(json=receipt))
    assert page.evaluate(REMOVE) == receipt


def test_a_watch_outlives_a_server_that_is_away_and_ends_for_what_is_not_there(page: Page) -> None:
    statuses = iter((502, 503, 404))
    page.route(EVENTS, lambda route: route.fulfill(status=next(statuses), json={}))
    with pytest.raises(Exception, match="404"):
        page.evaluate(WATCH, {"after": 0})
    assert next(statuses, None) is None


def test_an_event_source_needs_no_token_and_stops_at_the_end(kept: Page) -> None:
    try_on(kept)
    (session,) = mine(kept)
    names = kept.evaluate(LISTEN, session["urls"]["events"])
    assert (names[0], names[-1]) == (["state", "1"], ["state", str(session["last_event"])])
    assert len(names) == session["last_event"]


def test_a_batch_is_sent_whole_with_a_key_of_its_own(page: Page) -> None:
    sent: list[tuple[dict[str, str], Any]] = []

    def keep(route: Route) -> None:
        sent.append((route.request.headers, route.request.post_data_json))
        route.fulfill(status=201, json=SESSION)

    page.route("**/api/v1/tryon/batches", keep)
    made = page.evaluate("""async () => {
      const { TryOnClient } = await import("/client.js");
      const { SessionClient, newUserToken } = await import("/sessions.js");
      const sessions = new SessionClient(new TryOnClient(), { userToken: newUserToken() });
      const userImage = new Blob(["me"], { type: "image/png" });
      const garmentImage = new Blob(["it"], { type: "image/webp" });
      const garments = [{ garmentImage, category: "dresses" }, { garmentImage }];
      return sessions.createBatch({ userImage, garments, outputFormat: "webp" });
    }""")
    headers, body = sent[0]
    assert len(headers["idempotency-key"]) >= 22
    assert len(headers["x-user-token"]) == 32
    assert body == {
        "people": [{"user_image": {"base64": "bWU=", "media_type": "image/png"}}],
        "garments": [
            {
                "garment_image": {"base64": "aXQ=", "media_type": "image/webp"},
                "category": "dresses",
            },
            {"garment_image": {"base64": "aXQ=", "media_type": "image/webp"}},
        ],
        "options": {"output_format": "webp"},
    }
    assert (made["sessionId"], made["hasEnded"], made["queuePosition"]) == ("s1", False, 1)


def mine(page: Page) -> list[dict[str, Any]]:
    """The visitor's sessions, as the server lists them."""
    found: list[dict[str, Any]] = page.evaluate("""async () => {
      const headers = { "X-User-Token": localStorage.getItem("vton-user-token") };
      return (await (await fetch("/api/v1/tryon/sessions", { headers })).json()).sessions;
    }""")
    return found


@pytest.fixture
def kept(page: Page) -> Iterator[Page]:
    """A page whose visitor's sessions are erased in the end."""
    yield page
    page.get_by_role("button", name="Delete my photos now").click()
    expect(page.locator("#erased")).to_contain_text("are deleted")


def test_a_try_on_is_a_session_and_its_result_is_there_after_a_reload(kept: Page) -> None:
    own(kept, "people", PERSON)
    own(kept, "garments", GARMENT)
    try_on(kept)
    (session,) = mine(kept)
    assert session["state"] == "completed"
    kept.reload()
    expect(kept.locator("#outcome")).to_be_visible()
    expect(kept.locator("#before")).to_have_attribute("alt", "Person: Your own")
    assert [one["session_id"] for one in mine(kept)] == [session["session_id"]]


def test_a_session_that_is_under_way_is_taken_up_again_after_a_reload(kept: Page) -> None:
    with kept.expect_response(EVENTS):
        kept.get_by_role("button", name="Try it on").click()
    kept.reload()
    expect(kept.locator("#outcome")).to_be_visible()
    assert len(mine(kept)) == 1


def test_several_garments_are_tried_on_at_once_and_looked_at_one_by_one(kept: Page) -> None:
    kept.get_by_label("Several at once").check()
    choose_also(kept, "Striped tee")
    choose_also(kept, "Pinstripe trousers")
    kept.get_by_role("button", name="Try on 3").click()
    rail = kept.locator("#rail").get_by_role("button")
    expect(rail).to_have_count(3)
    for place in range(3):
        expect(rail.nth(place)).to_contain_text("ready")
    (session,) = mine(kept)
    for place, item in enumerate(session["items"]):
        rail.nth(place).click()
        expect(rail.nth(place)).to_have_attribute("aria-pressed", "true")
        picture = re.compile(re.escape(item["result_urls"][0].partition("?")[0]))
        expect(kept.locator("#download")).to_have_attribute("href", picture)
    assert [item["state"] for item in session["items"]] == ["completed"] * 3


def test_one_garment_that_fails_takes_no_other_down(kept: Page) -> None:
    own(kept, "garments", PERSON)
    kept.get_by_label("Several at once").check()
    choose_also(kept, "Striped tee")
    kept.get_by_role("button", name="Try on 2").click()
    rail = kept.locator("#rail").get_by_role("button")
    expect(kept.locator("#rail [data-state=completed]")).not_to_have_count(0)
    for place in range(2):
        expect(rail.nth(place)).to_be_enabled()


def choose_also(page: Page, label: str) -> None:
    page.get_by_title(label, exact=True).click()
    expect(page.get_by_role("checkbox", name=label, exact=True)).to_be_checked()


def test_a_cancelled_try_on_is_cancelled_on_the_server(kept: Page) -> None:
    kept.route(EVENTS, lambda _: None)  # a stream that never begins
    with kept.expect_request(EVENTS):
        kept.get_by_role("button", name="Try it on").click()
    with kept.expect_response("**/cancel") as answering:
        kept.get_by_role("button", name="Cancel").click()
    assert answering.value.ok
    expect(kept.locator("#working")).to_be_hidden()


def test_photos_are_deleted_when_the_visitor_says_so(page: Page) -> None:
    choose(page, "Striped tee")
    try_on(page)
    picture = page.locator("#download").get_attribute("href") or ""
    page.get_by_role("button", name="Delete my photos now").click()
    expect(page.locator("#erased")).to_contain_text("are deleted")
    assert mine(page) == []
    assert page.evaluate(FETCH, picture) == 404
    page.reload()
    page.locator("#go:enabled").wait_for()
    expect(page.locator("#outcome")).to_be_hidden()
