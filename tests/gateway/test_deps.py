"""What routes ask for, over all of them."""

import inspect
from collections.abc import Callable
from typing import Any

from gateway.app import create_app
from gateway.deps import Needs, nobody_in_particular
from gateway.settings.tree import Settings
from tests.gateway.every_route import routes


def test_every_route_says_what_it_needs() -> None:
    silent = [
        route
        for route, asked in routes(create_app(Settings())).items()
        if nobody_in_particular not in asked and not any(isinstance(one, Needs) for one in asked)
    ]
    assert silent == []


def test_nothing_that_a_route_asks_for_is_sent_to_a_thread() -> None:
    sent = {
        f"{route}: {call}"
        for route, asked in routes(create_app(Settings())).items()
        for call in asked
        if not is_asynchronous(call)
    }
    assert sent == set()


def is_asynchronous(call: Callable[..., Any]) -> bool:
    function = call if inspect.isroutine(call) else type(call).__call__
    return inspect.iscoroutinefunction(inspect.unwrap(function))
