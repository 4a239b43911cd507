"""What can go wrong with the services that recommendations ask."""

from typing import ClassVar, Final

from gateway.errors.codes import ErrorCode
from gateway.errors.kinds import GatewayError

NOT_CONFIGURED: Final = "not_configured"
"""What `details["reason"]` says where the deployment has no key."""


class OutsideFailed(GatewayError):
    """A service outside failed, refused, or said what cannot be used.

    `answered` is the status it answered with, for us alone.
    """

    retry_after_s: ClassVar[int | None] = 30
    answered: int | None = None

    @classmethod
    def not_configured(cls) -> "OutsideFailed":
        """Say that the feature is off here; a retry would not help."""
        error = cls("This deployment gives no recommendations.", details={"reason": NOT_CONFIGURED})
        del error.headers["Retry-After"]
        return error


class GeminiFailed(OutsideFailed):
    """The service that looks at pictures failed, or is away."""

    code = ErrorCode.GEMINI
    default_message = "The service that looks at pictures is not available."


class EbayFailed(OutsideFailed):
    """The shop failed, or is away."""

    code = ErrorCode.EBAY
    default_message = "The shop is not available."
