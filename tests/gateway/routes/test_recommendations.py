"""POST /api/v1/recommendations as a caller sees it."""

import asyncio
from base64 import b64encode
from pathlib import Path

import pytest

from gateway.domain.keywords import LEAST
from gateway.stand_ins.faults import Fault
from gateway.stand_ins.gemini import KEYWORDS
from tests.gateway import pictures
from tests.gateway.recommending import Outsides, outsides, recommending
from tests.gateway.running import Gateway

__all__ = ["outsides"]

pytestmark = pytest.mark.anyio
PRODUCT = {
    "id",
    "name",
    "image_url",
    "price",
    "currency",
    "category",
    "ebay_url",
    "relevance_score",
}


async def test_photos_give_keywords_and_ranked_products(outsides: Outsides) -> None:
    answer = await outsides.ask(wardrobe=2, generated=1, max_results=7)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["keywords"] == list(KEYWORDS)
    assert (found["degraded_services"], found["cached"]) == ([], False)
    assert len(found["products"]) == 7
    scores = [product["relevance_score"] for product in found["products"]]
    assert scores == sorted(scores, reverse=True)
    for product in found["products"]:
        assert set(product) == PRODUCT
        assert product["image_url"].startswith("https://i.ebayimg.com/")
        assert product["ebay_url"].startswith("https://www.ebay.com/")
        assert product["price"] > 0


async def test_stand_ins_are_labelled_wherever_they_show(outsides: Outsides) -> None:
    found = (await outsides.ask()).json()
    assert found["stand_ins"] is True
    assert all(product["name"].startswith("Stand-in: ") for product in found["products"])
    health = (await outsides.gateway.client.get("/health")).json()
    for feature in ("recommendations", "stand_ins"):
        assert health["features"][feature] == {"on": True, "setting": None}


async def test_references_and_base64_do_as_well_as_files(outsides: Outsides) -> None:
    upload = (await outsides.gateway.upload(pictures.jpeg((96, 120), seed=9))).json()
    other = {"base64": b64encode(pictures.png((64, 80))).decode()}
    body = {
        "user_image": {"upload_id": upload["upload_id"]},
        "wardrobe_images": [other, {"upload_id": upload["upload_id"]}],
        "max_results": 3,
    }
    answer = await outsides.gateway.client.post("/api/v1/recommendations", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["products"]) == 3


@pytest.mark.parametrize("wrong", [0, 51, "many", -1])
async def test_how_many_are_wanted_is_checked(outsides: Outsides, wrong: object) -> None:
    answer = await outsides.ask(max_results=wrong)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert answer.json()["details"]["fields"][0]["field"] == "max_results"
    assert outsides.gemini.asked == []


async def test_too_many_pictures_are_refused_by_name(outsides: Outsides) -> None:
    answer = await outsides.ask(wardrobe=13)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert answer.json()["details"]["fields"][0]["field"] == "wardrobe_images"


async def test_a_broken_picture_names_where_it_was(outsides: Outsides) -> None:
    body = {
        "user_image": {"base64": b64encode(pictures.png((64, 80))).decode()},
        "generated_images": [{"base64": b64encode(b"no picture").decode()}],
    }
    answer = await outsides.gateway.client.post("/api/v1/recommendations", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VAL_2004")
    assert answer.json()["details"]["field"] == "generated_images.0"


async def test_a_repeat_within_the_hour_asks_nobody(outsides: Outsides) -> None:
    first = (await outsides.ask(wardrobe=1, max_results=2)).json()
    outsides.gateway.clock.time_s += 3599
    again = (await outsides.ask(wardrobe=1, max_results=30)).json()
    assert (again["cached"], len(outsides.gemini.asked)) == (True, 1)
    assert again["products"][:2] == first["products"]
    assert len(again["products"]) == 30
    outsides.gateway.clock.time_s += 2
    later = (await outsides.ask(wardrobe=1)).json()
    assert (later["cached"], len(outsides.gemini.asked)) == (False, 2)


async def test_another_caller_or_other_pictures_are_asked_anew(outsides: Outsides) -> None:
    visitors = [{"X-User-Token": letter * 32} for letter in "ab"]
    for headers in visitors:
        assert (await outsides.ask(headers=headers)).json()["cached"] is False
    assert (await outsides.ask(seed=2, headers=visitors[0])).json()["cached"] is False
    assert len(outsides.gemini.asked) == 3


async def test_what_is_remembered_of_a_caller_can_be_forgotten(outsides: Outsides) -> None:
    caller = {"X-User-Token": "c" * 32}
    await outsides.ask(headers=caller)
    service = outsides.gateway.resources.recommendations
    owners = {owner for owner, _ in service._answers._entries}
    assert sum(service.forget(owner) for owner in owners) == 1
    assert (await outsides.ask(headers=caller)).json()["cached"] is False


async def test_the_same_asked_many_times_at_once_is_asked_once(outsides: Outsides) -> None:
    headers = {"X-User-Token": "d" * 32}
    answers = await asyncio.gather(*(outsides.ask(headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert (len(outsides.gemini.asked), len(outsides.ebay.tokens)) == (1, 1)
    assert len({answer.text.partition("products")[2][:200] for answer in answers}) == 1


@pytest.mark.prop(11)
async def test_a_recommendation_counts_as_what_asks_a_model(outsides: Outsides) -> None:
    answer = await outsides.ask()
    assert answer.headers["RateLimit-Policy"].startswith('"inference";')
    assert '"write"' not in answer.headers["RateLimit-Policy"]


async def test_without_keys_the_route_says_so_and_health_shows_it(gateway: Gateway) -> None:
    answer = await gateway.client.post("/api/v1/recommendations", json={})
    assert (answer.status_code, answer.json()["error_code"]) == (503, "EXT_5001")
    assert answer.json()["details"] == {"reason": "not_configured"}
    assert "retry-after" not in answer.headers
    health = (await gateway.client.get("/health")).json()
    assert health["status"] == "healthy"
    off = {"on": False, "setting": "recommendations.gemini.api_key"}
    assert health["features"]["recommendations"] == off


async def test_without_the_shops_key_the_shop_is_named(tmp_path: Path) -> None:
    async with recommending(tmp_path, ebay={"client_secret": ""}) as opened:
        answer = await opened.ask()
        assert (answer.status_code, answer.json()["error_code"]) == (503, "EXT_5002")


async def test_gemini_away_the_photos_colours_help_out(outsides: Outsides) -> None:
    outsides.gemini.faults.always = Fault.AWAY
    found = (await outsides.ask(wardrobe=1)).json()
    assert found["degraded_services"] == ["gemini"]
    assert len(found["keywords"]) >= LEAST
    assert found["products"]


async def test_gemini_away_the_last_keywords_for_these_photos_come_first(
    outsides: Outsides,
) -> None:
    await outsides.ask()
    outsides.gateway.clock.time_s += 3700
    outsides.gemini.faults.always = Fault.AWAY
    found = (await outsides.ask()).json()
    assert (found["keywords"], found["degraded_services"]) == (list(KEYWORDS), ["gemini"])


async def test_the_shop_away_older_products_help_out(outsides: Outsides) -> None:
    await outsides.ask()
    outsides.gateway.clock.time_s += 3700
    outsides.ebay.faults.always = Fault.AWAY
    found = (await outsides.ask(seed=5)).json()
    assert found["degraded_services"] == ["ebay"]
    assert found["products"]


async def test_the_shop_away_and_nothing_older_there_are_keywords_alone(
    outsides: Outsides,
) -> None:
    outsides.ebay.faults.always = Fault.AWAY
    answer = await outsides.ask()
    found = answer.json()
    assert (answer.status_code, found["degraded_services"]) == (200, ["ebay"])
    assert (found["keywords"], found["products"]) == (list(KEYWORDS), [])


async def test_a_degraded_answer_is_not_kept(outsides: Outsides) -> None:
    outsides.gemini.faults.queue.extend([Fault.REFUSED])
    assert (await outsides.ask()).json()["degraded_services"] == ["gemini"]
    found = (await outsides.ask()).json()
    assert (found["degraded_services"], found["cached"]) == ([], False)


async def test_both_away_and_nothing_older_it_is_a_clear_error(outsides: Outsides) -> None:
    outsides.gemini.faults.always = outsides.ebay.faults.always = Fault.AWAY
    answer = await outsides.ask()
    assert (answer.status_code, answer.json()["error_code"]) == (503, "EXT_5002")
    assert int(answer.headers["retry-after"]) >= 1


async def test_both_away_the_older_answer_is_given_and_says_so(outsides: Outsides) -> None:
    before = (await outsides.ask()).json()
    outsides.gateway.clock.time_s += 7200
    outsides.gemini.faults.always = outsides.ebay.faults.always = Fault.AWAY
    found = (await outsides.ask()).json()
    assert found["degraded_services"] == ["gemini", "ebay"]
    assert found["products"] == before["products"]


async def test_a_picture_that_gemini_will_not_look_at_is_nobodys_outage(
    outsides: Outsides,
) -> None:
    outsides.gemini.blocks = True
    for seed in range(7):
        assert (await outsides.ask(seed=seed)).json()["degraded_services"] == ["gemini"]
    assert len(outsides.gemini.asked) == 7
    health = (await outsides.gateway.client.get("/health")).json()
    assert health["components"]["circuits"]["details"]["gemini"] == "closed"


async def test_a_service_that_keeps_failing_is_left_alone(outsides: Outsides) -> None:
    outsides.gemini.faults.always = Fault.REFUSED
    for seed in range(9):
        assert (await outsides.ask(seed=seed)).status_code == 200
    assert len(outsides.gemini.asked) == 5
    await outsides.gateway.resources.health.check()
    health = (await outsides.gateway.client.get("/health")).json()
    assert health["components"]["circuits"]["details"]["gemini"] == "open"
    outsides.gemini.faults.always = Fault.NONE
    outsides.gateway.clock.time_s += 31
    assert (await outsides.ask(seed=99)).json()["degraded_services"] == []
