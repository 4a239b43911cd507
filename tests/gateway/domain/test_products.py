from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.domain.products import Money, Product, Seller, Weights, rank, relevance

WEIGHTS = Weights(0.6, 0.2, 0.2)
weights = st.builds(Weights, st.floats(0.01, 10), st.floats(0.01, 10), st.floats(0.01, 10))
products = st.builds(
    Product,
    product_id=st.text("0123456789|v", min_size=1, max_size=6),
    name=st.text(max_size=30),
    price=st.builds(Money, st.decimals(0, 10_000, places=2), st.sampled_from(["USD", "EUR"])),
    image_url=st.just("https://i.ebayimg.com/1.jpg"),
    page_url=st.just("https://www.ebay.com/itm/1"),
    category=st.just("Shirts"),
    seller=st.none() | st.builds(Seller, st.floats(0, 100), st.integers(0, 10**6)),
)
found = st.dictionaries(
    st.text(max_size=20), st.lists(products, unique_by=lambda one: one.product_id), max_size=5
)


def shirt(number: int = 1, price: str = "20", seller: Seller | None = None) -> Product:
    return Product(
        f"v1|{number}|0",
        "white shirt",
        Money(Decimal(price), "USD"),
        "https://i.ebayimg.com/1.jpg",
        "https://www.ebay.com/itm/1",
        "Shirts",
        seller,
    )


@given(found, weights, st.integers(1, 50))
def test_each_product_comes_once_the_best_first_and_no_more_than_asked(
    given_found: dict[str, list[Product]], given_weights: Weights, most: int
) -> None:
    ranked = rank(given_found, given_weights, most)
    known = {one.product_id for several in given_found.values() for one in several}
    assert len(ranked) == min(most, len(known))
    assert len({one.product.product_id for one in ranked}) == len(ranked)
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


@given(found)
def test_the_order_of_the_searches_changes_nothing(
    given_found: dict[str, list[Product]],
) -> None:
    turned = dict(reversed(given_found.items()))
    assert rank(given_found, WEIGHTS, 50) == rank(turned, WEIGHTS, 50)


@given(found, weights, st.floats(0.1, 10))
def test_only_the_proportions_of_the_weights_matter(
    given_found: dict[str, list[Product]], given_weights: Weights, factor: float
) -> None:
    scaled = Weights(*(factor * side for side in (
        given_weights.relevance, given_weights.price, given_weights.seller)))  # fmt: skip
    before, after = (
        {one.product.product_id: one.score for one in rank(given_found, side, 50)}
        for side in (given_weights, scaled)
    )
    assume(before.keys() == after.keys())
    assert after == pytest.approx(before)


@given(st.decimals(1, 100, places=2), st.decimals(0, 100, places=2))
def test_the_cheaper_of_two_alike_comes_first(price: Decimal, less: Decimal) -> None:
    assume(less < price)
    dear, cheap = shirt(1, str(price)), shirt(2, str(less))
    ranked = rank({"white shirt": [dear], "shirt white": [cheap]}, WEIGHTS, 2)
    assert [one.product for one in ranked] == [cheap, dear]


def test_the_seller_whose_buyers_are_content_comes_first() -> None:
    good, bad = shirt(2, seller=Seller(99.5, 5000)), shirt(1, seller=Seller(80, 5000))
    ranked = rank({"a": [bad], "b": [good]}, WEIGHTS, 2)
    assert ranked[0].product == good


def test_one_happy_buyer_is_less_than_thousands_nearly_all_happy() -> None:
    new, old = shirt(1, seller=Seller(100, 1)), shirt(2, seller=Seller(98.5, 9000))
    assert rank({"a": [new], "b": [old]}, WEIGHTS, 2)[0].product == old


def test_prices_are_compared_within_a_currency_alone() -> None:
    yen = replace(shirt(1), price=Money(Decimal(3000), "JPY"))
    first = rank({"a": [yen], "b": [shirt(2)]}, WEIGHTS, 2)
    assert first[0].score == pytest.approx(first[1].score)


def test_names_fit_by_their_words() -> None:
    assert relevance("white linen shirt", "Linen SHIRT, off-white") == 1.0
    assert relevance("white linen shirt", "Blue jeans") == 0.0
    assert relevance("", "anything") == 0.0
