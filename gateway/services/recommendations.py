"""What goes with a person's clothes: keywords by looking at them, products by the keywords."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Final

from gateway.domain.collage import SheetRules, labels_of
from gateway.domain.images import Picture
from gateway.domain.keywords import LEAST, merged
from gateway.domain.products import Product, Ranked, Weights, rank
from gateway.errors.kinds import Busy, GatewayError, TimedOut
from gateway.errors.recommendations import EbayFailed, GeminiFailed, OutsideFailed
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.recommendations import Outsiders, Shop, Stylist
from gateway.services.pictures import PictureService, Source
from gateway.services.remembering import Remembering
from gateway.services.single_flight import SingleFlight

GEMINI: Final = "gemini"
EBAY: Final = "ebay"
MOST: Final = 50
"""Products in an answer at most."""

_EVERYBODY: Final = ""
_AWAY: Final = (OutsideFailed, TimedOut, Busy)


@dataclass(frozen=True, slots=True)
class RecommendationRequest:
    """What one call asks for: the person, the wardrobe, and pictures made of them."""

    person: Source
    wardrobe: tuple[Source, ...]
    generated: tuple[Source, ...]
    max_results: int
    caller: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What suits; `degraded` names the services that were away, `is_cached` what is from memory."""

    keywords: tuple[str, ...]
    products: tuple[Ranked, ...]
    degraded: tuple[str, ...] = ()
    is_cached: bool = False
    processing_time_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class RecommendationRules:
    """How recommendations are made, and for how long they are remembered, in seconds."""

    weights: Weights
    sheet: SheetRules
    max_searches: int
    fresh_s: float
    stale_s: float
    entries: int


class RecommendationService:
    """Asks two services outside, and does without either for as long as it can.

    What is remembered of an answer are words and products, never pictures.
    """

    def __init__(
        self,
        outsiders: Outsiders,
        pictures: PictureService,
        rules: RecommendationRules,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._outsiders = outsiders
        self._pictures = pictures
        self._rules = rules
        self._clock = clock
        self._metrics = metrics
        ages = (rules.fresh_s, rules.stale_s, rules.entries)
        self._answers = Remembering[Recommendation](clock, *ages)
        self._searches = Remembering[tuple[Product, ...]](clock, *ages)
        self._flights = SingleFlight[None, Recommendation]()

    def check_on(self) -> tuple[Stylist, Shop]:
        """The services; raises GeminiFailed or EbayFailed where there is no key for one."""
        if self._outsiders.stylist is None:
            raise GeminiFailed.not_configured()
        if self._outsiders.shop is None:
            raise EbayFailed.not_configured()
        return self._outsiders.stylist, self._outsiders.shop

    async def recommend(self, request: RecommendationRequest) -> Recommendation:
        """Answer one call.

        Raises GeminiFailed or EbayFailed where the feature is off, EbayFailed or TimedOut where
        both services are away and nothing is remembered, and what reading the pictures raises.
        """
        self.check_on()
        started = self._clock.monotonic()
        pictures, labels = await self._read(request)
        key = _key(pictures, labels)
        known = self._answers.recall(request.caller, key)
        is_cached = known is not None and known.is_fresh
        if known is not None and known.is_fresh:
            found = known.value
        else:
            flight = f"{request.caller} {key}"
            is_cached = flight in self._flights
            stale = None if known is None else known.value
            work = partial(self._make, request.caller, key, (pictures, labels), stale)
            found = await self._flights.join(flight, lambda _: work())
        self._count("cached" if is_cached else "degraded" if found.degraded else "full")
        return replace(
            found,
            products=found.products[: request.max_results],
            is_cached=is_cached or found.is_cached,
            processing_time_ms=round((self._clock.monotonic() - started) * 1000, 1),
        )

    def forget(self, owner: str) -> int:
        """Forget every answer that an owner was given; how many there were."""
        return self._answers.forget(owner)

    async def tidy(self) -> None:
        """Forget what is too old to help."""
        self._answers.expire()
        self._searches.expire()

    async def _read(self, request: RecommendationRequest) -> tuple[Sequence[Picture], list[str]]:
        sources = (request.person, *request.wardrobe, *request.generated)
        pictures = await asyncio.gather(*map(self._pictures.photo, sources))
        groups = (
            ("Person", 1),
            ("Wardrobe", len(request.wardrobe)),
            ("Dressed", len(request.generated)),
        )
        return pictures, list(labels_of(groups))

    async def _make(
        self,
        owner: str,
        key: str,
        shown: tuple[Sequence[Picture], Sequence[str]],
        stale: Recommendation | None,
    ) -> Recommendation:
        stylist, shop = self.check_on()
        keywords, is_stylist_away = await self._keywords(stylist, shown, stale)
        found, failed = await self._search(shop, keywords[: self._rules.max_searches])
        products = rank(found, self._rules.weights, MOST)
        degraded = [GEMINI] * is_stylist_away + [EBAY] * (failed is not None)
        is_from_memory = failed is not None and not products and stale is not None
        if is_from_memory and stale is not None:
            products = stale.products
        if failed is not None and is_stylist_away and not products:
            self._count("failed")
            raise failed
        answer = Recommendation(keywords, products, tuple(degraded), is_from_memory)
        if not degraded:
            self._answers.remember(owner, key, answer)
        return answer

    async def _keywords(
        self,
        stylist: Stylist,
        shown: tuple[Sequence[Picture], Sequence[str]],
        stale: Recommendation | None,
    ) -> tuple[tuple[str, ...], bool]:
        """Keywords, and whether the stylist was of no help, or of too little."""
        collage = await self._pictures.collage(*shown, self._rules.sheet)
        try:
            found = await stylist.keywords(collage)
        except _AWAY:
            found = () if stale is None else stale.keywords
            if found:
                return found, True
        if len(found) >= LEAST:
            return found, False
        return merged(found, await self._pictures.suggestions(shown[0])), True

    async def _search(
        self, shop: Shop, keywords: Sequence[str]
    ) -> tuple[Mapping[str, tuple[Product, ...]], GatewayError | None]:
        """What there is for each keyword, and the error where one could not be asked for.

        For that one, older findings help out.
        """
        answers = await asyncio.gather(*(self._search_one(shop, word) for word in keywords))
        found = {word: products for word, (products, _) in zip(keywords, answers, strict=True)}
        failed = next((error for _, error in answers if error is not None), None)
        return found, failed

    async def _search_one(
        self, shop: Shop, keyword: str
    ) -> tuple[tuple[Product, ...], GatewayError | None]:
        known = self._searches.recall(_EVERYBODY, keyword)
        if known is not None and known.is_fresh:
            return known.value, None
        try:
            found = await shop.search(keyword, MOST)
        except _AWAY as error:
            return () if known is None else known.value, error
        self._searches.remember(_EVERYBODY, keyword, found)
        return found, None

    def _count(self, outcome: str) -> None:
        self._metrics.recommendations.labels(outcome).inc()


def _key(pictures: Sequence[Picture], labels: Sequence[str]) -> str:
    """What tells pictures from others, and what each of them is; their bytes alone."""
    digest = blake2b(digest_size=16)
    for picture, label in zip(pictures, labels, strict=True):
        digest.update(f"{label} {len(picture.png)} ".encode())
        digest.update(picture.png)
    return digest.hexdigest()
