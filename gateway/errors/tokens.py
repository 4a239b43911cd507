"""Whoever is not let in, each kind with its code; why exactly is for the log alone."""

from __future__ import annotations

from gateway.errors.codes import ErrorCode
from gateway.errors.kinds import GatewayError


class Unauthenticated(GatewayError):
    """Nobody knows who asks; `reason` says why, in a few words, to the log alone."""

    code = ErrorCode.INVALID_TOKEN
    default_message = "The token is not valid."

    def __init__(self, reason: str = "", message: str | None = None) -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})
        self.reason = reason or type(self).__name__


class TokenInvalid(Unauthenticated):
    """A token or a key that is none of ours, or no longer."""


class TokenExpired(Unauthenticated):
    """An access token or a key past its time."""

    code = ErrorCode.EXPIRED_TOKEN
    default_message = "The token has expired."


class TokenMissing(Unauthenticated):
    """The route is not for everybody, and the request shows nothing."""

    code = ErrorCode.MISSING_TOKEN
    default_message = "This needs a token: send one as a bearer token, or sign in."


class SignInRefused(Unauthenticated):
    """The sign-in service does not know this address with this password."""

    code = ErrorCode.SIGN_IN_REFUSED
    default_message = "The e-mail address or the password is wrong."


class NotPermitted(GatewayError):
    """We know who asks, and he may not."""

    code = ErrorCode.NOT_PERMITTED
    default_message = "You may not do this."


class CsrfFailed(GatewayError):
    """A request that a browser's cookie vouches for, and that another page may have made."""

    code = ErrorCode.CSRF
    default_message = "The request lacks its CSRF token, or comes from another page."

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason or type(self).__name__


class SupabaseFailed(GatewayError):
    """The sign-in service failed, or is away."""

    code = ErrorCode.SUPABASE
    default_message = "The sign-in service is not available."
    retry_after_s = 5


class LinkInvalid(TokenInvalid):
    """The signed link was not signed by this deployment."""

    default_message = "The link's signature is not valid."


class LinkExpired(TokenExpired):
    """The signed link is past its time."""

    default_message = "The link has expired."
