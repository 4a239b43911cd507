"""The application: `create_app` is the only thing that builds one, and nothing else holds state."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette_compress import CompressMiddleware

from gateway import __version__
from gateway.documentation.openapi import TITLE, install_openapi
from gateway.domain.limits import HEADERS as LIMIT_HEADERS
from gateway.errors.features import SwitchedOff
from gateway.intake.cookies import CSRF_HEADER
from gateway.intake.credentials import KEY_HEADER, USER_TOKEN
from gateway.intake.session_headers import SESSION_HEADERS, TOLD_HEADERS
from gateway.metrics import Metrics
from gateway.middleware.boundaries import BodyLimit, ErrorBoundary, RequestScope
from gateway.middleware.https_only import HttpsOnly
from gateway.middleware.limiting import LimitHeaders
from gateway.middleware.proxied import ClientAddress
from gateway.middleware.request_ids import HEADER
from gateway.middleware.security_headers import SecurityHeaders
from gateway.resources import Resources, open_resources
from gateway.responses import SafeJSONResponse, install_error_handlers
from gateway.routes import (
    admin,
    aliases,
    auth,
    bodies,
    callbacks,
    docs,
    garments,
    inputs,
    keys,
    models,
    ops,
    person,
    receipts,
    recommendations,
    results,
    sessions,
    tryon,
    uploads,
    watching,
    webhooks,
)
from gateway.routes.page import page_routes
from gateway.settings.tree import Settings

# Looked through in this order: what is asked for most comes first.
_ROUTES: Final = (
    sessions,
    watching,
    tryon,
    webhooks,
    garments,
    person,
    bodies,
    callbacks,
    uploads,
    recommendations,
    results,
    inputs,
    receipts,
    models,
    ops,
    admin,
    aliases,
    auth,
    keys,
)


_OPTIONAL: Final = {
    aliases: "aliases",
    bodies: "bodies",
    garments: "garments",
    person: "person_analysis",
    recommendations: "recommendations",
    webhooks: "webhooks",
}
"""Whose routes a switch of `features` takes away."""


def create_app(settings: Settings, resources: Resources | None = None) -> FastAPI:
    """Build the gateway; given `resources` are used as they are and left open."""
    metrics = resources.metrics if resources else Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if resources is not None:
            yield
            return
        async with open_resources(settings, metrics) as opened:
            app.state.resources = opened
            yield

    app = FastAPI(
        title=TITLE,
        version=__version__,
        lifespan=lifespan,
        default_response_class=SafeJSONResponse,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.http.docs else None,
        redirect_slashes=False,
    )
    app.state.resources = resources
    for routes in _ROUTES:
        feature = _OPTIONAL.get(routes)
        if feature is None or getattr(settings.features, feature):
            app.include_router(routes.router)
        else:
            _refuse(app, routes.router, feature)
    if settings.http.docs:
        app.include_router(docs.router)
        if settings.features.aliases:
            app.include_router(aliases.docs_router)
    app.router.routes.extend(page_routes())
    install_error_handlers(app)
    install_openapi(app)
    _install_middleware(app, settings, metrics)
    return app


def _refuse(app: FastAPI, router: APIRouter, feature: str) -> None:
    """Answer for a capability that is off with its own error, and leave it out of the document."""

    async def refuse() -> None:
        raise SwitchedOff.of(feature)

    app.include_router(router, dependencies=[Depends(refuse)], include_in_schema=False)


def _open_to(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of other origins call, and read what answers say in their headers."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            HEADER,
            CSRF_HEADER,
            KEY_HEADER,
            USER_TOKEN,
            *SESSION_HEADERS,
        ],
        expose_headers=[
            HEADER,
            "X-Engine",
            "X-Licence",
            "X-Cached",
            "X-Kept-Share",
            "Retry-After",
            *LIMIT_HEADERS,
            USER_TOKEN,
            *TOLD_HEADERS,
        ],
    )


def _install_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Wrap the app, innermost first: what is added last sees a request first."""
    http = settings.http
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        total_s=http.body_s,
        stall_s=http.body_stall_s,
    )
    app.add_middleware(ErrorBoundary)
    app.add_middleware(LimitHeaders)
    if http.cors_origins:
        _open_to(app, http.cors_origins)
    app.add_middleware(CompressMiddleware, minimum_size=http.compress_min_bytes)
    if http.hsts:
        app.add_middleware(HttpsOnly, public_url=http.public_url)
    app.add_middleware(SecurityHeaders, hsts=http.hsts)
    app.add_middleware(RequestScope, metrics=metrics)
    app.add_middleware(ClientAddress, proxies=settings.proxies.proxies)
