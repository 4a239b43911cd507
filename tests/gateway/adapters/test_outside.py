"""Gemini and eBay as they are asked, and whatever they answer."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.adapters.breaker import Breakers
from gateway.adapters.ebay import is_image_address, is_page_address
from gateway.adapters.gemini import pause_asked_s
from gateway.adapters.outside import Reply, retry_after_s
from gateway.adapters.recommending import open_outsiders
from gateway.domain.keywords import clean
from gateway.errors.kinds import TimedOut
from gateway.errors.recommendations import EbayFailed, GeminiFailed
from gateway.ports.recommendations import Shop, Stylist
from gateway.settings.recommendations import RecommendationSettings
from gateway.stand_ins.ebay import EbayStandIn, item
from gateway.stand_ins.faults import Fault
from gateway.stand_ins.gemini import KEY, KEYWORDS, GeminiStandIn
from gateway.stand_ins.server import stand_in_app
from tests.gateway import pictures
from tests.gateway.recommending import configured
from tests.gateway.running import ManualClock
from tests.gateway.torchserve_stand_in import serve

pytestmark = pytest.mark.anyio
COLLAGE = pictures.jpeg((64, 64))
PASSING = (Fault.TOO_MANY, Fault.BROKEN, Fault.AWAY, Fault.CUT)
LASTING = (
    Fault.REFUSED, Fault.GARBAGE, Fault.WRONG_SHAPE, Fault.HUGE, Fault.REDIRECT,
    Fault.TOO_MANY_FOR_LONG,
)  # fmt: skip
anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@dataclass
class Both:
    gemini: GeminiStandIn
    ebay: EbayStandIn
    stylist: Stylist
    shop: Shop
    clock: ManualClock


@asynccontextmanager
async def opened(**sections: Any) -> AsyncIterator[Both]:  # noqa: ANN401
    gemini, ebay, clock = GeminiStandIn(), EbayStandIn(), ManualClock()
    async with serve(stand_in_app(gemini, ebay)) as url:
        told = RecommendationSettings.model_validate(configured(url, **sections))
        breakers = Breakers(clock, lambda _, __: None)
        async with open_outsiders(told, breakers, clock) as services:
            assert services.stylist is not None
            assert services.shop is not None
            yield Both(gemini, ebay, services.stylist, services.shop, clock)
        for faults in (gemini.faults, ebay.faults, ebay.token_faults):
            faults.released.set()


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    many = {"failures": 10_000}
    async with opened(gemini=many, ebay=many) as services:
        yield services


async def test_gemini_is_asked_as_its_reference_says(both: Both) -> None:
    assert await both.stylist.keywords(COLLAGE) == KEYWORDS
    (question,) = both.gemini.asked
    inline = question["contents"][0]["parts"][0]["inlineData"]
    assert inline["mimeType"] == "image/jpeg"
    assert b64decode(inline["data"]) == COLLAGE
    told = question["generationConfig"]
    assert told["responseMimeType"] == "application/json"
    keywords = told["responseSchema"]["properties"]["keywords"]
    assert (keywords["minItems"], keywords["maxItems"]) == (5, 10)
    (url,) = both.gemini.urls
    assert url.endswith("/v1beta/models/gemini-2.5-flash:generateContent")
    assert KEY not in url


async def test_ebay_is_asked_as_its_reference_says() -> None:
    async with opened(ebay={"marketplace": "EBAY_DE", "affiliate_campaign": "533"}) as both:
        assert len(await both.shop.search("white shirt", 5)) == 5
        assert both.ebay.searches == [{"q": "white shirt", "limit": "5", "category_ids": "11450"}]
        (headers,) = both.ebay.headers
        assert headers["x-ebay-c-marketplace-id"] == "EBAY_DE"
        assert headers["x-ebay-c-enduserctx"] == "affiliateCampaignId=533"
        assert headers["authorization"] == f"Bearer {both.ebay.tokens[0]}"


async def test_one_token_serves_until_a_minute_before_its_end(both: Both) -> None:
    await asyncio.gather(*(both.shop.search(f"shirt {at}", 5) for at in range(8)))
    both.clock.time_s += 7200 - 61
    await both.shop.search("hat", 5)
    assert len(both.ebay.tokens) == 1
    both.clock.time_s += 2
    await both.shop.search("hat", 5)
    assert len(both.ebay.tokens) == 2


async def test_a_token_that_is_not_taken_any_more_is_replaced_once(both: Both) -> None:
    await both.shop.search("hat", 5)
    both.ebay.tokens.clear()
    assert await both.shop.search("hat", 5)
    assert len(both.ebay.tokens) == 1


@pytest.mark.parametrize("fault", PASSING)
async def test_what_passes_is_tried_again(both: Both, fault: Fault) -> None:
    for faults in (both.gemini.faults, both.ebay.faults, both.ebay.token_faults):
        faults.queue.extend([fault, fault])
    assert await both.stylist.keywords(COLLAGE) == KEYWORDS
    assert await both.shop.search("hat", 5)
    assert len(both.gemini.asked) == 3


@pytest.mark.parametrize("fault", LASTING)
async def test_what_lasts_is_not(both: Both, fault: Fault) -> None:
    both.gemini.faults.always = both.ebay.faults.always = fault
    with pytest.raises(GeminiFailed) as gemini:
        await both.stylist.keywords(COLLAGE)
    with pytest.raises(EbayFailed) as ebay:
        await both.shop.search("hat", 5)
    assert len(both.gemini.asked) == 1
    assert len(both.ebay.searches) == (2 if fault is Fault.REFUSED else 1)
    for raised in (gemini, ebay):
        assert raised.value.details.keys() <= {"service"}


@pytest.mark.prop(43)
async def test_what_never_answers_ends_in_time() -> None:
    async with opened(gemini={"timeout_s": 0.05}, ebay={"timeout_s": 0.05}) as both:
        both.gemini.faults.always = both.ebay.token_faults.always = Fault.SILENT
        with pytest.raises(TimedOut):
            await both.stylist.keywords(COLLAGE)
        with pytest.raises(TimedOut):
            await both.shop.search("hat", 5)


async def test_a_slow_answer_is_an_answer(both: Both) -> None:
    both.gemini.faults.always = both.ebay.faults.always = Fault.SLOW
    assert await both.stylist.keywords(COLLAGE) == KEYWORDS
    assert await both.shop.search("hat", 5)


@pytest.mark.prop(19)
@anything
@given(said=st.lists(values) | values, text=st.none() | st.text(max_size=60))
async def test_whatever_gemini_says_there_are_keywords_or_its_error(
    both: Both,
    said: object,
    text: str | None,
) -> None:
    both.gemini.text = text if text is not None else json.dumps({"keywords": said})
    try:
        found = await both.stylist.keywords(COLLAGE)
    except GeminiFailed:
        return
    assert found
    assert clean(found) == found


@pytest.mark.prop(20)
@anything
@given(items=st.lists(values | st.dictionaries(st.sampled_from(sorted(item("x", 1))), values)))
async def test_whatever_ebay_says_there_are_sound_products_or_its_error(
    both: Both, items: list[Any]
) -> None:
    both.ebay.items = [*items, {**item("hat", 1), **(items[0] if _is_object(items) else {})}]
    try:
        found = await both.shop.search("hat", 50)
    except EbayFailed:
        return
    for product in found:
        assert is_image_address(product.image_url)
        assert is_page_address(product.page_url)
        assert product.price.amount >= 0
        assert product.name


def _is_object(items: list[Any]) -> bool:
    return bool(items) and isinstance(items[0], dict)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", {"imageUrl": "http://i.ebayimg.com/a.jpg"}),
        ("image", {"imageUrl": "https://evil.example/a.jpg"}),
        ("image", {"imageUrl": "https://ebayimg.com.evil.example/a.jpg"}),
        ("image", {"imageUrl": "https://i.ebayimg.com@evil.example/a.jpg"}),
        ("image", {"imageUrl": "https://i.ebayimg.com:8443/a.jpg"}),
        ("image", {"imageUrl": 'https://i.ebayimg.com/"><script>'}),
        ("itemWebUrl", "javascript:alert(1)"),
        ("itemWebUrl", "https://ebay.com.evil.example/itm/1"),
        ("itemWebUrl", "https://notebay.com/itm/1"),
        ("price", {"value": "NaN", "currency": "USD"}),
        ("price", {"value": "-1", "currency": "USD"}),
        ("price", {"value": "1", "currency": "dollars"}),
        ("title", "a\x00b"),
        ("itemId", "../../etc"),
    ],
)
async def test_an_item_that_is_not_sound_is_left_out(both: Both, field: str, value: Any) -> None:  # noqa: ANN401
    good = item("hat", 1)
    both.ebay.items = [good, {**item("hat", 2), field: value}]
    assert [one.product_id for one in await both.shop.search("hat", 5)] == [good["itemId"]]


async def test_a_seller_that_says_nonsense_is_none(both: Both) -> None:
    both.ebay.items = [{**item("hat", 1), "seller": {"feedbackPercentage": "NaN"}}]
    (found,) = await both.shop.search("hat", 5)
    assert found.seller is None


async def test_nothing_found_is_an_empty_answer(both: Both) -> None:
    both.ebay.items = []
    assert await both.shop.search("hat", 5) == ()


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("7", 7.0), ("", None), (None, None), ("soon", None), ("-3", None), ("9" * 40, 999999999.0)],
)
def test_retry_after_is_read_or_ignored(header: str | None, wait_s: float | None) -> None:
    assert retry_after_s(header) == wait_s


def test_retry_after_may_be_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < (retry_after_s(soon) or 0) <= 3600
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_the_pause_that_gemini_asks_for_in_its_body_is_kept() -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
    body = json.dumps({"error": {"code": 429, "details": [{"@type": "x"}, retry]}}).encode()
    assert pause_asked_s(Reply(429, {}, body)) == 34
    for broken in (b"", b"[]", b'{"error": {"details": [{"retryDelay": 3}]}}'):
        assert pause_asked_s(Reply(429, {}, broken)) is None


@pytest.mark.parametrize(
    "url", ["http://api.ebay.com", "https://u:p@api.ebay.com", "ftp://api.ebay.com", "https://"]
)
def test_keys_go_nowhere_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        RecommendationSettings.model_validate({"ebay": {"url": url}})
