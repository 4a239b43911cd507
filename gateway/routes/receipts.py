"""/api/v1/receipts: what was erased, signed; kept as long as the audit's lines."""

from typing import Annotated

from fastapi import APIRouter

from gateway.deps import PUBLIC, R, needs
from gateway.documentation.openapi import errors
from gateway.domain.identity import Caller, Scope
from gateway.errors.kinds import DatabaseFailed, InvalidInput, NotFound
from gateway.intake.path_ids import PathId
from gateway.intake.session_headers import known_owner
from gateway.schemas.receipts import ReceiptKeyResponse, ReceiptResponse

router = APIRouter(prefix="/api/v1/receipts", tags=["sessions"])


@router.get("/key", dependencies=[PUBLIC])
async def key(r: R) -> ReceiptKeyResponse:
    """Give the public key that receipts can be checked with."""
    return ReceiptKeyResponse.of(r.erasing.key)


@router.get("/{receipt_id}", responses=errors(NotFound, InvalidInput, DatabaseFailed))
async def one(
    receipt_id: PathId,
    r: R,
    caller: Annotated[Caller, needs(Scope.READ)],
) -> ReceiptResponse:
    """Give the receipt of one's own session that was erased; its id is the session's."""
    found = await r.sessions.receipt(receipt_id, known_owner(caller))
    return ReceiptResponse.model_validate(found)
