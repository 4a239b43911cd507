"""The JavaScript client asks for people."""

from typing import Any

from playwright.sync_api import Page, Route

from tests.browser.test_client import ANSWER

BODIES = """async () => {
  const { TryOnClient } = await import("/client.js");
  return new TryOnClient().bodies({ heightCm: 172, weightKg: 68.5, skinTone: "tan", count: 1 });
}"""


def test_people_are_drawn(page: Page) -> None:
    sent: list[Any] = []

    def keep(route: Route) -> None:
        sent.append((route.request.headers["content-type"], route.request.post_data_json))
        told = {"images": [{"url": "/api/v1/results/b.jpg?s", "seed": 7}], "blocked": 0}
        route.fulfill(json={**ANSWER, **told, "ai_generated": True})

    page.route("**/api/v1/bodies", keep)
    bodies = page.evaluate(BODIES)
    wished = {"height_cm": 172, "weight_kg": 68.5, "skin_tone": "tan", "count": 1}
    assert sent == [("application/json", wished)]
    [image] = bodies["images"]
    assert image["url"].startswith("http://")
    assert image["seed"] == 7
    assert (bodies["aiGenerated"], bodies["blocked"]) == (True, 0)
