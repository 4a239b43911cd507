"""What goes with it: asked for by the visitor alone, and only where the server recommends."""

import json

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.test_page import try_on

PATH = "**/api/v1/recommendations"


def test_nothing_is_sent_until_the_visitor_asks_then_products_are_shown(page: Page) -> None:
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one) if "recommendations" in one.url else None)
    expect(page.locator("#elsewhere")).to_be_visible()
    expect(page.locator("#suggestions")).to_be_hidden()
    try_on(page)
    expect(page.locator("#suggestions")).to_be_visible()
    expect(page.locator("#suggestions")).to_contain_text("Gemini")
    assert asked == []
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#goods li")).to_have_count(8)
    expect(page.locator("#suggestions-told")).to_contain_text("stand-ins")
    link = page.locator("#goods a").first
    assert (link.get_attribute("href") or "").startswith("https://www.ebay.com/itm/")
    assert "noopener" in (link.get_attribute("rel") or "")
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide
    page.locator("#people .tile:not(.add)").nth(1).click()
    expect(page.locator("#suggestions")).to_be_hidden()


def test_an_error_is_said_and_may_be_tried_again(page: Page) -> None:
    def refuse(route: Route) -> None:
        error = {
            "error_code": "EXT_5002",
            "message": "The shop is not available.",
            "details": {},
            "request_id": "r-1",
        }
        route.fulfill(status=503, body=json.dumps(error), content_type="application/json")

    page.route(PATH, refuse)
    try_on(page)
    ask = page.get_by_role("button", name="Ask", exact=True)
    ask.click()
    expect(page.locator("#suggestions-told")).to_contain_text("The shop is not available.")
    expect(ask).to_be_enabled()


def test_a_server_without_the_feature_shows_nothing_of_it(page: Page) -> None:
    off = {"features": {"recommendations": {"on": False}}}
    page.route("**/health", lambda route: route.fulfill(json=off))
    page.reload()
    page.locator("#go:enabled").wait_for()
    try_on(page)
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(page.locator("#elsewhere")).to_be_hidden()
