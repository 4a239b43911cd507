"""Opens the services that recommendations ask, as far as the deployment has keys for them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from gateway.adapters.breaker import Breaker, BreakerRules, Breakers
from gateway.adapters.ebay import Ebay, Market
from gateway.adapters.ebay_tokens import EbayTokens
from gateway.adapters.gemini import Gemini, pause_asked_s
from gateway.adapters.outside import Outside, TryRules
from gateway.errors.recommendations import EbayFailed, GeminiFailed, OutsideFailed
from gateway.ports.clock import Clock
from gateway.ports.recommendations import Outsiders
from gateway.settings.recommendations import (
    EbaySettings,
    GeminiSettings,
    RecommendationSettings,
    ServiceSettings,
)


@asynccontextmanager
async def open_outsiders(
    told: RecommendationSettings, breakers: Breakers, clock: Clock
) -> AsyncIterator[Outsiders]:
    """The services, open until the end; one without its key is None."""
    async with AsyncExitStack() as stack:
        stylist = await _stylist(told.gemini, breakers, stack)
        yield Outsiders(stylist, await _shop(told.ebay, breakers, clock, stack))


async def _stylist(
    told: GeminiSettings, breakers: Breakers, stack: AsyncExitStack
) -> Gemini | None:
    if told.api_key is None or not told.is_on:
        return None
    client = await stack.enter_async_context(_client(told.url, told))
    breaker = _breaker("gemini", GeminiFailed, told, breakers)
    outside = Outside(client, breaker, GeminiFailed, _tries(told), pause_asked_s)
    return Gemini(outside, told.model, told.api_key)


async def _shop(
    told: EbaySettings, breakers: Breakers, clock: Clock, stack: AsyncExitStack
) -> Ebay | None:
    secret = told.client_secret
    if not told.client_id or secret is None or not told.is_on:
        return None
    client = await stack.enter_async_context(_client(told.url, told))
    breaker = _breaker("ebay", EbayFailed, told, breakers)
    outside = Outside(client, breaker, EbayFailed, _tries(told))
    tokens = EbayTokens(outside, (told.client_id, secret), clock, told.token_margin_s)
    stack.push_async_callback(tokens.close)
    market = Market(told.marketplace, told.category_id, told.affiliate_campaign)
    return Ebay(outside, tokens, market)


def _breaker(
    name: str, failure: type[OutsideFailed], told: ServiceSettings, breakers: Breakers
) -> Breaker:
    rules = BreakerRules(told.failures, told.reset_s, told.max_concurrent, told.timeout_s)
    return breakers.breaker(name, failure, rules)


def _tries(told: ServiceSettings) -> TryRules:
    return TryRules(told.tries, told.retry_first_s, told.retry_longest_s, told.max_answer_bytes)


def _client(url: str, told: ServiceSettings) -> httpx.AsyncClient:
    """One pool; the time for an answer is the breaker's. No redirect is followed."""
    return httpx.AsyncClient(
        base_url=url,
        timeout=httpx.Timeout(None, connect=min(5.0, told.timeout_s)),
        limits=httpx.Limits(max_connections=told.max_concurrent),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "vton-serve"},
    )
