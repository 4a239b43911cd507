"""Whoever bears no token, or not the right one, where one is needed."""

from gateway.error_codes import ErrorCode
from gateway.errors import GatewayError


class TokenMissing(GatewayError):
    """The route is for administrators, and the request bears no token."""

    code = ErrorCode.MISSING_TOKEN
    default_message = "This needs the administrator's token: send it as a bearer token."


class TokenInvalid(GatewayError):
    """The token is not the administrator's."""

    code = ErrorCode.INVALID_TOKEN
    default_message = "The token is not valid."
