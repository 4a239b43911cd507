"""The cookies of a sign-in: what they are called, what they hold, how a browser keeps them.

The access token goes with every request, the refresh token only to the routes of sign-in, both out
of reach of scripts. The CSRF token is for scripts to read, those of our own pages alone.
"""

from dataclasses import dataclass
from typing import Final

from fastapi.requests import HTTPConnection
from starlette.responses import Response

from gateway.errors.tokens import TokenMissing
from gateway.services.sign_in import SignedIn

CSRF_HEADER: Final = "X-CSRF-Token"
AUTH_PATH: Final = "/api/v1/auth"
_SEPARATOR: Final = "~"


@dataclass(frozen=True, slots=True)
class CookieRules:
    """Cookies for HTTPS alone have a prefix that browsers hold us to."""

    secret: bytes
    is_secure: bool
    max_age_s: int

    @property
    def access(self) -> str:
        """The name of the access token's cookie."""
        return "__Host-vton_access" if self.is_secure else "vton_access"

    @property
    def csrf(self) -> str:
        """The name of the CSRF token's cookie."""
        return "__Host-vton_csrf" if self.is_secure else "vton_csrf"

    @property
    def refresh(self) -> str:
        """The name of the refresh token's cookie."""
        return "__Secure-vton_refresh" if self.is_secure else "vton_refresh"


def set_cookies(response: Response, rules: CookieRules, signed_in: SignedIn, csrf: str) -> None:
    """Hand a sign-in over to a browser, with the CSRF token that it has for its whole life."""
    session_id = signed_in.token.session_id
    refresh = f"{session_id}{_SEPARATOR}{signed_in.grant.refresh}"
    _set(response, rules, rules.access, signed_in.grant.access, "/", hidden=True)
    _set(response, rules, rules.refresh, refresh, AUTH_PATH, hidden=True)
    _set(response, rules, rules.csrf, csrf, "/", hidden=False)
    response.headers["Cache-Control"] = "no-store"


def clear_cookies(response: Response, rules: CookieRules) -> None:
    """Take a sign-in away from a browser."""
    paths = {rules.access: "/", rules.csrf: "/", rules.refresh: AUTH_PATH}
    for name, path in paths.items():
        response.delete_cookie(
            name, path=path, secure=rules.is_secure, httponly=name != rules.csrf, samesite="strict"
        )
    response.headers["Cache-Control"] = "no-store"


def refresh_cookie(connection: HTTPConnection, rules: CookieRules) -> tuple[str, str]:
    """The sign-in's id and its refresh token; raises TokenMissing."""
    cookie = connection.cookies.get(rules.refresh, "")
    session_id, separator, refresh = cookie.partition(_SEPARATOR)
    if not separator or not refresh:
        raise TokenMissing("no refresh token")
    return session_id, refresh


def _set(
    response: Response, rules: CookieRules, name: str, value: str, path: str, *, hidden: bool
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=rules.max_age_s,
        path=path,
        secure=rules.is_secure,
        httponly=hidden,
        samesite="strict",
    )
