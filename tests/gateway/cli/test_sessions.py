"""`vton sessions` and `vton tryon --async` against a running gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.cli.sessions import TOKEN_VARIABLE
from gateway.domain.receipts import is_genuine
from tests.gateway.live import MINE, Live, live_gateway

pytestmark = pytest.mark.anyio


@pytest.fixture
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setenv(TOKEN_VARIABLE, MINE["X-User-Token"])
    async with live_gateway(tmp_path) as running:
        yield running


async def vton(live: Live, *arguments: str) -> int:
    return await asyncio.to_thread(main, [*arguments, "--server", live.url])


async def made(live: Live, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A session that a command has begun."""
    for name, photo in (("p", live.gateway.person), ("g", live.gateway.garment)):
        (folder / f"{name}.jpg").write_bytes(photo)
    pictures = (str(folder / "p.jpg"), str(folder / "g.jpg"))
    assert await vton(live, "tryon", *pictures, "--async") == 0
    return capsys.readouterr().out.strip()


async def test_a_session_is_made_followed_and_collected(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session_id = await made(live, tmp_path, capsys)
    output = tmp_path / "out"
    assert await vton(live, "sessions", "watch", session_id, "-o", str(output)) == 0
    told = capsys.readouterr().out
    assert "item   0    denoising 4/4" in told or "session     completed" in told
    assert (output / f"{session_id}-0-0.jpg").read_bytes().startswith(b"\xff\xd8")
    assert await vton(live, "sessions", "list") == 0
    assert f"{session_id}  " in capsys.readouterr().out
    assert await vton(live, "sessions", "show", session_id) == 0
    assert "/api/v1/results/" in capsys.readouterr().out


async def test_a_session_is_cancelled_and_deleted(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live.steps.may_step.clear()
    session_id = await made(live, tmp_path, capsys)
    assert await vton(live, "sessions", "cancel", session_id) == 0
    assert "cancelled" in capsys.readouterr().out
    assert await vton(live, "sessions", "watch", session_id) == 1
    capsys.readouterr()
    assert await vton(live, "sessions", "delete", session_id) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["receipt_id"] == session_id
    assert is_genuine(receipt, live.gateway.resources.erasing.key.public)
    assert await vton(live, "sessions", "show", session_id) == 1
    assert "not" in capsys.readouterr().err


async def test_a_stranger_is_told_the_token_that_owns_the_session(
    live: Live,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE)
    for name, photo in (("p", live.gateway.person), ("g", live.gateway.garment)):
        (tmp_path / f"{name}.jpg").write_bytes(photo)
    pictures = (str(tmp_path / "p.jpg"), str(tmp_path / "g.jpg"))
    assert await vton(live, "tryon", *pictures, "--async") == 0
    told = capsys.readouterr()
    token = told.err.partition("=")[2].partition(" ")[0]
    assert await vton(live, "sessions", "show", told.out.strip(), "--token", token) == 0


def test_its_words_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    told = capsys.readouterr().out
    for word in ("sessions", "watch", "cancel", "delete", "--async", "--token"):
        assert word in told
