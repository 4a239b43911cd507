"""What the OpenAPI document says of access: made of what each route needs, so that none lies."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from gateway.deps import Needs
from gateway.domain.identity import SAFE_METHODS, VISITOR_SCOPES, Scope
from gateway.errors.kinds import DatabaseFailed, GatewayError, TimedOut
from gateway.errors.limits import RateLimited
from gateway.errors.tokens import (
    CsrfFailed,
    NotPermitted,
    SupabaseFailed,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)
from gateway.intake.cookies import CSRF_HEADER
from gateway.intake.credentials import KEY_HEADER, USER_TOKEN
from gateway.schemas.auth import KeyBody, LoginBody, LogoutBody

if TYPE_CHECKING:
    from gateway.resources import Resources

BODIES: Final = (KeyBody, LoginBody, LogoutBody)
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "an access token of the sign-in, an API key, or the administrator's token",
    },
    "key": {"type": "apiKey", "in": "header", "name": KEY_HEADER, "description": "an API key"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-vton_access",
        "description": f"a page's sign-in; what changes something needs {CSRF_HEADER}, too",
    },
    "visitor": {
        "type": "apiKey",
        "in": "header",
        "name": USER_TOKEN,
        "description": "a visitor's own random token, 22 to 128 characters of A-Z a-z 0-9 - _; "
        "what is made with it is its bearer's",
    },
}


def document_access(app: FastAPI, document: dict[str, Any]) -> None:
    """Add who may ask to every operation, and what whoever may not is answered."""
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, methods, scope in needed(app):
        for method in methods & document["paths"].get(path, {}).keys() & _METHODS:
            operation = document["paths"][path][method]
            operation["security"] = _security(app, scope)
            for error in _errors(method):
                _add(operation["responses"], error)


def needed(app: FastAPI) -> Iterator[tuple[str, set[str], Scope]]:
    """The path, the methods and the need of every route that has one."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute) and context.include_in_schema:
            methods = {method.lower() for method in context.methods or ()}
            for need in _needs(context.dependant):
                yield context.path_format or "", methods, need.scope


def _needs(dependant: Dependant) -> Iterator[Needs]:
    if isinstance(dependant.call, Needs):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _needs(inner)


def _security(app: FastAPI, scope: Scope) -> list[dict[str, list[str]]]:
    resources: Resources | None = app.state.resources
    known: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}, {"cookie": []}]
    visitors = VISITOR_SCOPES if resources is None else resources.doors.identity.visitor_scopes
    lets_visitors = resources is None or resources.doors.identity.allows_visitors
    return [{}, {"visitor": []}, *known] if lets_visitors and scope in visitors else known


def _errors(method: str) -> Iterator[GatewayError]:
    yield TokenInvalid()
    yield TokenExpired()
    yield TokenMissing()
    yield NotPermitted()
    yield RateLimited()
    yield from (DatabaseFailed(), SupabaseFailed(), TimedOut())
    if method.upper() not in SAFE_METHODS:
        yield CsrfFailed()


def _add(responses: dict[str, Any], error: GatewayError) -> None:
    schema = {"$ref": "#/components/schemas/ErrorResponse"}
    content = {"application/json": {"schema": schema, "examples": {}}}
    answer = responses.setdefault(str(error.status), {"content": content})
    examples = answer["content"]["application/json"]["examples"]
    examples[f"{error.code} {type(error).__name__}"] = {
        "value": {
            "error_code": error.code,
            "message": error.message,
            "details": {},
            "request_id": "0b5c1f0e6a4a4c0e9f0d3f1b6f6d2a11",
        }
    }
    answer["description"] = " or ".join(examples)
