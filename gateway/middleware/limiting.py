"""Takes a request's tokens, and puts on every answer how many are left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from starlette.datastructures import MutableHeaders

from gateway.domain.limits import Limit, Spent, headers_of, limit_of
from gateway.errors.kinds import InvalidInput
from gateway.errors.limits import BudgetSpent, RateLimited
from gateway.middleware.security_headers import STARTS
from gateway.services.audit import Visitor
from gateway.services.limits import Asked

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.domain.budgets import Budget
    from gateway.domain.identity import Caller
    from gateway.services.limits import LimitService

_STANDING: Final = "limits"


@dataclass(slots=True)
class Standing:
    """What a request has spent so far, by bucket, and what it was counted as.

    `budget` is that of its API key, as it stood when the request came.
    """

    spent: dict[str, Spent] = field(default_factory=dict)
    counted: dict[Limit, Asked] = field(default_factory=dict)
    budget: Budget | None = None


class LimitHeaders:
    """Puts the limits on the answer to whatever was counted, however it ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        standing = scope[_STANDING] = Standing()

        async def told(message: Message) -> None:
            if message["type"] in STARTS:
                headers = MutableHeaders(scope=message)
                headers.update(headers_of(list(standing.spent.values()), standing.budget))
            await send(message)

        await self._app(scope, receive, told)


async def count(
    connection: HTTPConnection, limits: LimitService, caller: Caller | None, limit: Limit | None
) -> None:
    """Count a request, once for each kind that it is; raises RateLimited.

    Without a limit it is that of the method. No caller means one whose token was refused.
    """
    standing = _standing(connection)
    named = limit or limit_of(connection.scope.get("method", "GET"))
    if named in standing.counted:
        return
    visitor = visitor_of(connection)
    asked = Asked(caller, named, visitor, connection.scope["path"])
    standing.counted[named] = asked
    await _spend(standing, limits, asked, 1)


async def count_items(
    connection: HTTPConnection, limits: LimitService, items: int, field: str
) -> None:
    """Count a request to models as so many; raises RateLimited, or InvalidInput for more than ever.

    Its first one is counted already.
    """
    standing = _standing(connection)
    asked = standing.counted[Limit.INFERENCE]
    most = limits.most(asked)
    if most is not None and items > most:
        raise InvalidInput.of(field, f"must be {most} items at most: the limit lets no more pass")
    if items > 1:
        await _spend(standing, limits, asked, items - 1)


async def check_budget(connection: HTTPConnection, limits: LimitService, caller: Caller) -> None:
    """Look at the budget of the caller's API key; raises BudgetSpent, or DatabaseFailed."""
    visitor, path = visitor_of(connection), connection.scope["path"]
    budget = await limits.budget(Asked(caller, Limit.GPU_SECONDS, visitor, path))
    _standing(connection).budget = budget
    if budget is not None and budget.is_spent:
        raise BudgetSpent.of(budget)


def visitor_of(connection: HTTPConnection) -> Visitor:
    """From where somebody asks; proxies of the deployment have been looked through."""
    client = connection.client
    address = "" if client is None else client.host
    return Visitor(address, connection.headers.get("user-agent", ""))


async def _spend(standing: Standing, limits: LimitService, asked: Asked, tokens: int) -> None:
    for spent in await limits.spend(asked, tokens):
        standing.spent[spent.bucket.name] = spent
        if spent.is_over:
            raise RateLimited.of(spent.bucket.limit, spent.bucket.rate.per_min, spent.retry_s)


def _standing(connection: HTTPConnection) -> Standing:
    return cast("Standing", connection.scope.setdefault(_STANDING, Standing()))
