"""GET /docs: the API, to read and to try."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
_SWAGGER: Final = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.17.14"
_BOOT: Final = "SwaggerUIBundle({url:'/openapi.json',dom_id:'#ui',deepLinking:true});"
_BOOT_HASH: Final = "sha256-{digest}"
_PAGE: Final = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>vton-serve: API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{_SWAGGER}/swagger-ui.css"></head>
<body><div id="ui"></div><noscript>See /openapi.json.</noscript>
<script src="{_SWAGGER}/swagger-ui-bundle.js"></script><script>{_BOOT}</script></body></html>
"""


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Swagger UI over /openapi.json."""
    return HTMLResponse(_PAGE)
