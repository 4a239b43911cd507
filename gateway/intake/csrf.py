"""Keeps other people's pages from using the cookies of ours."""

from fastapi.requests import HTTPConnection

from gateway.domain.csrf import is_csrf_token, is_same_origin
from gateway.errors.tokens import CsrfFailed
from gateway.intake.cookies import CSRF_HEADER, CookieRules
from gateway.settings.tree import Settings


def check_origin(connection: HTTPConnection, settings: Settings) -> None:
    """Let a browser's request pass if a page of ours made it; raises CsrfFailed."""
    headers, http = connection.headers, settings.http
    trusted = frozenset((*http.cors_origins, http.public_url.rstrip("/"))) - {"", "*"}
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if not is_same_origin(site, origin, headers.get("host", ""), trusted):
        raise CsrfFailed("from another page")


def check_token(connection: HTTPConnection, rules: CookieRules, session_id: str) -> None:
    """Let a request pass that carries this sign-in's CSRF token; raises CsrfFailed."""
    sent, cookie = connection.headers.get(CSRF_HEADER), connection.cookies.get(rules.csrf)
    if sent is None or cookie is None:
        raise CsrfFailed("CSRF token missing")
    if not is_csrf_token(rules.secret, session_id, sent, cookie):
        raise CsrfFailed("CSRF token of another sign-in")
