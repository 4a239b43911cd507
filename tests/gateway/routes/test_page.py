from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.routes.page import page_routes

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "samples").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "app.js").write_text("export {};")
    (tmp_path / "samples" / "one.webp").write_bytes(b"RIFF")
    (tmp_path / "secret.key").write_text("secret")
    return tmp_path


async def test_files_are_served_with_their_types_and_a_policy(folder: Path) -> None:
    transport = httpx.ASGITransport(Starlette(routes=page_routes(folder)))
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        for path, media_type in (
            ("/", "text/html; charset=utf-8"),
            ("/app.js", "text/javascript; charset=utf-8"),
            ("/samples/one.webp", "image/webp"),
        ):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
            assert "script-src 'self'" in answer.headers["content-security-policy"]
        for path in ("/secret.key", "/samples/", "/samples/../secret.key", "/%2e%2e/secret.key"):
            assert (await client.get(path)).status_code == 404


def test_a_missing_folder_means_no_page(tmp_path: Path) -> None:
    assert page_routes(tmp_path / "nothing") == []
