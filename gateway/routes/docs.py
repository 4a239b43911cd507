"""GET /docs: the API reference, readable without a network."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from gateway.deps import PUBLIC
from gateway.documentation.reference import STYLE_HASH, render

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src '{STYLE_HASH}'; frame-ancestors 'none'"
    )
}


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Every route, field and error, with examples."""
    return HTMLResponse(render(request.app.openapi()), headers=_HEADERS)
