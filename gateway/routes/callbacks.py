"""POST /api/v1/engines/pixazo/callback/{token}: the remote engine says that it is done."""

from typing import Final

from fastapi import APIRouter, Request

from gateway.deps import PUBLIC, R
from gateway.documentation.openapi import errors
from gateway.errors.kinds import InvalidInput, NotFound, SlowBody, TooLarge
from gateway.intake.path_ids import PathId

router = APIRouter(prefix="/api/v1", tags=["engines"], dependencies=[PUBLIC])

_MAX_BYTES: Final = 64 << 10


@router.post(
    "/engines/pixazo/callback/{token}",
    status_code=204,
    responses=errors(NotFound, TooLarge, SlowBody, InvalidInput),
)
async def callback(token: PathId, request: Request, r: R) -> None:
    """What the remote engine was asked to call; the token is that of one request, and its secret.

    Whoever does not know a token that is waited for finds nothing here.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BYTES:
            raise TooLarge
    if not r.callbacks.take(token, bytes(content)):
        raise NotFound
