"""The page at / and its files: exactly those that exist, each a route of its own.

Where a deployment lets in nobody who has not signed in, a page without a session leads there.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.deps import may_see_pages
from gateway.middleware.security_headers import GUARDED

FOLDER: Final = Path(__file__).parent.parent / "web"
_INDEX: Final = "index.html"
_SIGN_IN: Final = "sign-in.html"
_MEDIA_TYPES: Final = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".webp": "image/webp",
        ".ico": "image/x-icon",
        ".woff2": "font/woff2",
        ".webmanifest": "application/manifest+json",
        ".txt": "text/plain; charset=utf-8",
        ".md": "text/markdown; charset=utf-8",
    }
)
_HEADERS: Final = MappingProxyType(
    {
        "Cache-Control": "no-cache",
        # The page may ask for the camera; nothing else that a browser guards.
        "Permissions-Policy": f"camera=(self), {GUARDED}",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; manifest-src 'self'; "
            "font-src 'self'; img-src 'self' data: blob: https://*.ebayimg.com; "
            "media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'"
        ),
    }
)


def page_routes(folder: Path = FOLDER) -> list[Route]:
    """One route per file of known type; none when the folder is missing."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in _MEDIA_TYPES]
    return [
        Route(_path(file.relative_to(folder)), _serve(file), include_in_schema=False)
        for file in files
        if file.is_file()
    ]


def _path(relative: Path) -> str:
    return "/" if str(relative) == _INDEX else f"/{relative.as_posix()}"


def _serve(file: Path) -> Callable[[Request], Awaitable[Response]]:
    is_guarded = file.suffix == ".html" and file.name != _SIGN_IN

    async def serve(request: Request) -> Response:
        if is_guarded and not await may_see_pages(request):
            following = urlencode({"next": request.url.path})
            return RedirectResponse(f"/{_SIGN_IN}?{following}", 303, dict(_HEADERS))
        return FileResponse(file, media_type=_MEDIA_TYPES[file.suffix], headers=dict(_HEADERS))

    return serve
