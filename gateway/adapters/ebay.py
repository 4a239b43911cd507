"""eBay's Browse API: a keyword in, products out; nothing it says is believed unchecked."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.adapters.ebay_tokens import EbayTokens
from gateway.adapters.outside import Call, Outside
from gateway.domain.products import Currency, Money, Product, Seller
from gateway.errors.recommendations import EbayFailed

_PATH: Final = "/buy/browse/v1/item_summary/search"
_MOST: Final = 200
_MAX_QUERY_CHARS: Final = 100
_UNAUTHORISED: Final = 401
_IMAGE_HOSTS: Final = ("ebayimg.com", "ebaystatic.com")
_MAX_URL_CHARS: Final = 2000
_SITES: Final = frozenset(
    {"com", "de", "co.uk", "fr", "it", "es", "at", "ch", "ie", "nl", "pl", "ca", "com.au",
     "be", "com.hk", "com.my", "com.sg", "ph", "com.tw", "co.th", "vn", "in"}
)  # fmt: skip
_PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"

Text = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_PLAIN)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=4, allow_inf_nan=False)]


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Price(_Loose):
    value: Amount
    currency: Currency


class _Image(_Loose):
    url: str = Field(alias="imageUrl", max_length=_MAX_URL_CHARS)


class _Category(_Loose):
    name: Text = Field(alias="categoryName")


class _Seller(_Loose):
    percent: float = Field(alias="feedbackPercentage", ge=0, le=100, allow_inf_nan=False)
    score: int = Field(alias="feedbackScore", ge=0, le=10**9)


class _Item(_Loose):
    item_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9|._-]{1,64}$")] = Field(
        alias="itemId"
    )
    title: Text
    price: _Price
    image: _Image
    page_url: str = Field(alias="itemWebUrl", max_length=_MAX_URL_CHARS)
    affiliate_url: str | None = Field(
        default=None, alias="itemAffiliateWebUrl", max_length=_MAX_URL_CHARS
    )
    categories: list[_Category] = []
    seller: Any = None


class _Found(_Loose):
    items: list[Any] = Field(default=[], alias="itemSummaries", max_length=_MOST)


@dataclass(frozen=True, slots=True)
class Market:
    """Which eBay, which part of it, and who is paid for what is bought there."""

    marketplace: str
    category_id: str = ""
    affiliate_campaign: str = ""


class Ebay:
    """Implements the Shop port.

    An item that lacks something, or whose picture or page lies elsewhere than at eBay, is left out.
    """

    def __init__(self, outside: Outside, tokens: EbayTokens, market: Market) -> None:
        self._outside = outside
        self._tokens = tokens
        self._market = market

    async def search(self, keyword: str, most: int) -> tuple[Product, ...]:
        """Search once; a token that the shop does not take any more is replaced once."""
        token = await self._tokens.token()
        try:
            return await self._search(token, keyword, most)
        except EbayFailed as error:
            if error.answered != _UNAUTHORISED:
                raise
        self._tokens.drop(token)
        return await self._search(await self._tokens.token(), keyword, most)

    async def _search(self, token: str, keyword: str, most: int) -> tuple[Product, ...]:
        params = {"q": keyword[:_MAX_QUERY_CHARS], "limit": str(min(most, _MOST))}
        if self._market.category_id:
            params["category_ids"] = self._market.category_id
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "X-EBAY-C-MARKETPLACE-ID": self._market.marketplace,
        }
        if self._market.affiliate_campaign:
            campaign = f"affiliateCampaignId={self._market.affiliate_campaign}"
            headers["X-EBAY-C-ENDUSERCTX"] = campaign
        call = Call("GET", _PATH, headers, params=params)
        return (await self._outside.ask(call, _read))[:most]


def _read(body: bytes) -> tuple[Product, ...]:
    """The products of an answer; raises ValueError where it is none."""
    found = (_product(one) for one in _Found.model_validate_json(body).items)
    return tuple(one for one in found if one is not None)


def _product(raw: object) -> Product | None:
    try:
        item = _Item.model_validate(raw)
    except ValidationError:
        return None
    page_url = item.affiliate_url or item.page_url
    if not is_image_address(item.image.url) or not is_page_address(page_url):
        return None
    return Product(
        product_id=item.item_id,
        name=item.title,
        price=Money(item.price.value, item.price.currency),
        image_url=item.image.url,
        page_url=page_url,
        category=item.categories[0].name if item.categories else "",
        seller=_seller(item.seller),
    )


def _seller(raw: object) -> Seller | None:
    try:
        read = _Seller.model_validate(raw)
    except ValidationError:
        return None
    return Seller(read.percent, read.score)


def is_image_address(url: str) -> bool:
    """Whether pictures of eBay's lie there, and the line is encrypted."""
    host = _secure_host(url)
    return any(host == own or host.endswith(f".{own}") for own in _IMAGE_HOSTS)


def is_page_address(url: str) -> bool:
    """Whether one of eBay's own sites is there, and the line is encrypted."""
    host = _secure_host(url)
    return any(host == f"ebay.{site}" or host.endswith(f".ebay.{site}") for site in _SITES)


def _secure_host(url: str) -> str:
    """The host of a plain https address; empty for anything else."""
    if not url.isascii() or not url.isprintable() or {*url} & {*" \\\"'<>`"}:
        return ""
    try:
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.port is not None or "@" in parts.netloc:
            return ""
    except ValueError:
        return ""
    return (parts.hostname or "").lower()
