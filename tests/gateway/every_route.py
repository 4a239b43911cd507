"""The routes of an application, and all that they depend on."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

SOCKET: Final = "SOCKET"


def routes(app: FastAPI) -> dict[str, list[Callable[..., Any]]]:
    """Each method with its path: its function, and those it depends on."""
    found = {}
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute | APIWebSocketRoute):
            for method in sorted(context.methods or {SOCKET}):
                found[f"{method} {context.path}"] = _calls(context.dependant)
    return found


def _calls(dependant: Dependant) -> list[Callable[..., Any]]:
    inner = [call for one in dependant.dependencies for call in _calls(one)]
    return [dependant.call, *inner] if dependant.call else inner
