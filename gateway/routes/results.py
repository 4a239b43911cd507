"""GET /api/v1/results/{name}: a picture behind a signed, short-lived link."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from gateway.deps import PUBLIC, R
from gateway.documentation.openapi import IMAGE, errors
from gateway.errors.kinds import DatabaseFailed, InvalidInput, NotFound, StorageFailed
from gateway.errors.tokens import LinkExpired, LinkInvalid
from gateway.services.results import PATH, OpenedImage

router = APIRouter(prefix="/api/v1", tags=["results"], dependencies=[PUBLIC])

Expires = Annotated[str, Query(max_length=16, description="Unix seconds")]
Signature = Annotated[str, Query(max_length=64)]
Name = Annotated[str, Path(max_length=128)]
BY_LINK: Final = {
    200: IMAGE,
    **errors(LinkInvalid, LinkExpired, NotFound, InvalidInput, StorageFailed, DatabaseFailed),
}
"""What a link to a picture answers."""


@router.get("/results/{name:path}", response_class=Response, responses=BY_LINK)
async def result(name: Name, expires: Expires, signature: Signature, r: R) -> Response:
    """The picture that a try-on made; only as the answer's own link names it."""
    left_s = r.results.check(PATH + name, expires, signature)
    await r.sessions.check_shown(name)
    return picture(await r.results.open(name, left_s))


def picture(opened: OpenedImage) -> Response:
    """A picture that pages of any origin may show, kept by who asked as long as its link holds."""
    headers = {
        "Cache-Control": f"private, max-age={opened.max_age_s}, immutable",
        "Content-Disposition": "inline",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Response(opened.content, media_type=opened.media_type, headers=headers)
