"""Stands in for eBay's token endpoint and Browse API: the published shapes, and no goods."""

import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.stand_ins.faults import Faults

CLIENT_ID: Final = "stand-in-app"
CLIENT_SECRET: Final = "stand-in-cert"  # noqa: S105 - no secret: it opens nothing
_SCOPE: Final = "https://api.ebay.com/oauth/api_scope"
_MOST: Final = 200
_SHELF: Final = 12
_KINDS: Final = ("classic", "slim fit", "vintage", "relaxed", "cropped", "oversized")


@dataclass
class EbayStandIn:
    """What it was asked, which tokens it gave, and what is to go wrong.

    `items` are answered in place of invented ones.
    """

    items: list[Any] | None = None
    expires_s: int = 7200
    faults: Faults = field(default_factory=Faults)
    token_faults: Faults = field(default_factory=Faults)
    searches: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            Route("/identity/v1/oauth2/token", self._token, methods=["POST"]),
            Route("/buy/browse/v1/item_summary/search", self._search, methods=["GET"]),
        ]

    async def _token(self, request: Request) -> Response:
        pair = b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        form = parse_qs((await request.body()).decode())
        if form != {"grant_type": ["client_credentials"], "scope": [_SCOPE]}:
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        token = f"v^1.1#{secrets.token_urlsafe(24)}"
        self.tokens.append(token)
        granted = {
            "access_token": token,
            "expires_in": self.expires_s,
            "token_type": "Application Access Token",
        }
        return await self.token_faults.applied(JSONResponse(granted))

    async def _search(self, request: Request) -> Response:
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, 1001, "Invalid access token")
        query, limit = request.query_params.get("q", ""), request.query_params.get("limit", "50")
        if not query or not limit.isdecimal() or not 1 <= int(limit) <= _MOST:
            return _error(400, 12002, "The 'q' or 'limit' value is not valid")
        self.searches.append(dict(request.query_params))
        self.headers.append(dict(request.headers))
        items = _shelf(query) if self.items is None else self.items
        found: dict[str, Any] = {
            "href": str(request.url),
            "total": len(items),
            "limit": int(limit),
            "offset": 0,
        }
        if items:  # the real one leaves it out where there is none
            found["itemSummaries"] = items[: int(limit)]
        return await self.faults.applied(JSONResponse(found))


def _shelf(query: str) -> list[dict[str, Any]]:
    """Invented goods, the same for the same query."""
    return [item(query, at) for at in range(_SHELF)]


def item(query: str, at: int) -> dict[str, Any]:
    """One invented item, as the Browse API describes it."""
    noise = blake2b(f"{query} {at}".encode(), digest_size=8).digest()
    number = 110_000_000_000 + int.from_bytes(noise[:4], "big")
    kind = _KINDS[noise[4] % len(_KINDS)]
    return {
        "itemId": f"v1|{number}|0",
        "title": f"Stand-in: {query}, {kind}",
        "leafCategoryIds": ["57988"],
        "categories": [{"categoryId": "57988", "categoryName": "Stand-in clothing"}],
        "image": {"imageUrl": f"https://i.ebayimg.com/images/g/stand-in-{number}/s-l500.jpg"},
        "price": {"value": f"{5 + noise[5]}.{noise[6] % 100:02}", "currency": "USD"},
        "itemHref": f"https://api.ebay.com/buy/browse/v1/item/v1%7C{number}%7C0",
        "seller": {
            "username": "stand-in",
            "feedbackPercentage": f"{90 + noise[7] % 100 / 10:.1f}",
            "feedbackScore": noise[7] * 10,
        },
        "condition": "New",
        "conditionId": "1000",
        "buyingOptions": ["FIXED_PRICE"],
        "itemWebUrl": f"https://www.ebay.com/itm/{number}",
    }


def _error(status: int, number: int, message: str) -> Response:
    error = {"errorId": number, "domain": "API_BROWSE", "category": "REQUEST", "message": message}
    return JSONResponse({"errors": [error]}, status_code=status)
