"""Paths of older contracts: the same handlers under the names that front ends were written to."""

from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

from gateway.routes import docs, ops, sessions

_TRYONS: Final = "/api/v1/tryon/sessions"
_BATCHES: Final = "/api/v1/tryon/batches"
_ONE: Final = f"{_TRYONS}/{{session_id}}"
_OLD: Final = {
    "/api/tryon/sessions": _TRYONS,
    "/api/tryon/sessions/{session_id}": _ONE,
    "/api/tryon/sessions/{session_id}/cancel": f"{_ONE}/cancel",
    "/api/try-on": _TRYONS,
    "/api/try-on/batch": _BATCHES,
    "/api/try-on/{session_id}": _ONE,
    "/api/try-on/{session_id}/status": _ONE,
    "/api/health": "/health",
}


def alias_routes(*routers: APIRouter, names: dict[str, str] = _OLD) -> APIRouter:
    """Every route of these routers that has older names, under each of them."""
    aliases = APIRouter(include_in_schema=False)
    known = [route for router in routers for route in router.routes]
    for old, path in names.items():
        for route in known:
            if isinstance(route, APIRoute) and route.path == path:
                aliases.add_api_route(
                    old,
                    route.endpoint,
                    methods=sorted(route.methods or ()),
                    status_code=route.status_code,
                    dependencies=route.dependencies,
                )
    return aliases


router: Final = alias_routes(sessions.router, ops.router)
docs_router: Final = alias_routes(docs.router, names={"/api/docs": "/docs"})
