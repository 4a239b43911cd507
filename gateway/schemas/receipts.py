"""What is answered about receipts over HTTP."""

from typing import Literal, Self

from fastapi.requests import HTTPConnection
from pydantic import Field

from gateway.domain.receipts import ALGORITHM, ReceiptKey
from gateway.schemas.requests import Strict
from gateway.services.audit import Visitor


def visitor_of(connection: HTTPConnection) -> Visitor:
    """From where a request comes, for the audit."""
    client = connection.client
    address = "" if client is None else client.host
    return Visitor(address, connection.headers.get("user-agent", ""))


class ReceiptResponse(Strict):
    """What was erased, signed; docs/privacy.md says how to check it."""

    receipt_id: str = Field(description="the session's id")
    subject: Literal["session"]
    erased_at: str = Field(description="ISO 8601, UTC")
    reason: Literal["asked", "expired"]
    erased: dict[str, int] = Field(description="how many of each kind")
    workers_told: int = Field(description="models whose workers have forgotten")
    algorithm: Literal["Ed25519"]
    key_id: str
    signature: str = Field(description="base64url, of the rest as JSON with sorted keys, no blanks")


class ReceiptKeyResponse(Strict):
    """The public key of receipts."""

    algorithm: str
    key_id: str
    public_key: str = Field(description="base64url of the 32 bytes")

    @classmethod
    def of(cls, key: ReceiptKey) -> Self:
        """Tell of a key, without its secret."""
        return cls(algorithm=ALGORITHM, key_id=key.key_id, public_key=key.public)
