"""Products of a shop, and which of them come first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Annotated, Final

from pydantic import StringConstraints

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""

_WORD: Final = re.compile(r"[^\W_]+")
_USUAL_SHARE: Final = 0.9
_USUAL_SALES: Final = 50
_PERCENT: Final = 100
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, never a float, in a currency."""

    amount: Decimal
    currency: Currency


@dataclass(frozen=True, slots=True)
class Seller:
    """How buyers judge a seller: the share that was content in per cent, and of how many."""

    feedback_percent: float
    feedback_score: int


@dataclass(frozen=True, slots=True)
class Product:
    """What a shop offers; the addresses are checked ones."""

    product_id: str
    name: str
    price: Money
    image_url: str
    page_url: str
    category: str
    seller: Seller | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each side of a product counts; only their proportions matter."""

    relevance: float
    price: float
    seller: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A product and how well it suits, 0..1."""

    product: Product
    score: float


def rank(found: Mapping[str, Sequence[Product]], weights: Weights, most: int) -> tuple[Ranked, ...]:
    """The best products of what was found for each keyword, each product once, the best first.

    Every side gives 0..1: how well the name fits a keyword, how cheap it is beside the others of
    its currency, and how content the seller's buyers are. Equal ones come in the order of their
    ids, so that the order of the searches changes nothing.
    """
    products, fits = _gathered(found)
    usual = _usual_prices(products.values())
    total = weights.relevance + weights.price + weights.seller
    ranked = [
        Ranked(
            one,
            (
                weights.relevance * fits[one.product_id]
                + weights.price * _cheapness(one.price, usual)
                + weights.seller * _trust(one.seller)
            )
            / total,
        )
        for one in products.values()
    ]
    return tuple(sorted(ranked, key=lambda one: (-one.score, one.product.product_id))[:most])


def relevance(keyword: str, name: str) -> float:
    """The share of the keyword's words that a name holds, 0..1."""
    words = set(_WORD.findall(keyword.casefold()))
    return len(words & set(_WORD.findall(name.casefold()))) / len(words) if words else 0.0


def _gathered(
    found: Mapping[str, Sequence[Product]],
) -> tuple[dict[str, Product], dict[str, float]]:
    """Every product once, and how well it fits the best of the keywords.

    Half of that is the shop's own order: what it puts first for a keyword.
    """
    products: dict[str, Product] = {}
    fits: dict[str, float] = defaultdict(float)
    for keyword in sorted(found):
        for place, one in enumerate(found[keyword]):
            products.setdefault(one.product_id, one)
            by_place = 1 - place / len(found[keyword])
            fit = _HALF * relevance(keyword, one.name) + _HALF * by_place
            fits[one.product_id] = max(fits[one.product_id], fit)
    return products, fits


def _usual_prices(products: Iterable[Product]) -> Mapping[str, Decimal]:
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for one in products:
        amounts[one.price.currency].append(one.price.amount)
    return {currency: median(all_of_it) for currency, all_of_it in amounts.items()}


def _cheapness(price: Money, usual: Mapping[str, Decimal]) -> float:
    """1 for what is free, one half at the usual price, towards 0 from there."""
    beside = usual[price.currency] + price.amount
    return float(1 - price.amount / beside) if beside else 1.0


def _trust(seller: Seller | None) -> float:
    """The share of content buyers, as if a few more had been as content as usual."""
    if seller is None:
        return _USUAL_SHARE
    content = seller.feedback_percent / _PERCENT * seller.feedback_score
    return (content + _USUAL_SHARE * _USUAL_SALES) / (seller.feedback_score + _USUAL_SALES)
