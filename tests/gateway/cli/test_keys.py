"""`vton keys` on a database alone, and what a gateway makes of it."""

import asyncio
import logging
import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.gateway.running import running_gateway

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs" / "identity.md"


@pytest.fixture(autouse=True)
def _deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of a deployment that has a database, and nothing else that is up."""
    monkeypatch.setenv("VTON_DATABASE__URL", f"sqlite:///{tmp_path}/sessions.sqlite")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


async def vton(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["keys", *arguments])


async def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert await vton("create", "--name", "shop", *arguments) == 0
    return capsys.readouterr().out.strip()


async def test_the_first_key_opens_a_gateway_and_is_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = await made(capsys, "--scopes", "read,catalogue", "--budget", "60", "--owner", "acme")
    assert re.fullmatch(r"vton_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key)
    headers = {"Authorization": f"Bearer {key}"}
    async with running_gateway(tmp_path, identity={"anonymous": False, "recheck_s": 0}) as gateway:
        me = (await gateway.client.get("/api/v1/auth/me", headers=headers)).json()
        assert (me["owner"], me["scopes"]) == ("client:acme", ["catalogue", "read"])
        assert await vton("revoke", key[:17]) == 0
        assert (await gateway.client.get("/api/v1/auth/me", headers=headers)).status_code == 401


async def test_keys_are_listed_with_what_they_may_and_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = await made(capsys, "--budget", "60")
    second = await made(capsys, "--expires", "30", "--scopes", "read")
    assert await vton("revoke", second.split("_")[1]) == 0
    capsys.readouterr()
    assert await vton("list") == 0
    newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.startswith(second[:17])
    assert "revoked" in newest
    assert "0.0/60 GPU s" in oldest
    assert "never" in oldest
    assert oldest.endswith("live,read,recommendations,tryon,webhooks")
    assert first not in oldest


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        (("--scopes", "read,keys"), "--scopes"),
        (("--scopes", ""), "--scopes"),
        (("--budget", "-1"), "--budget"),
        (("--expires", "0"), "--expires"),
        (("--owner", "Acme Inc."), "--owner"),
        (("--requests-per-min", "0"), "--requests-per-min"),
    ],
)
async def test_what_is_wrong_is_named_by_its_flag(
    wrong: tuple[str, str], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await vton("create", "--name", "shop", *wrong) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"vton: {flag}: ")
    assert not told.out


async def test_a_key_that_is_none_is_not_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    assert await vton("revoke", "0123456789ab") == 1
    assert "no such key" in capsys.readouterr().err


async def test_the_operator_s_deeds_are_written_down_and_the_key_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = await made(capsys)
    assert await vton("revoke", key[:17]) == 0
    with sqlite3.connect(tmp_path / "sessions.sqlite") as database:
        rows = database.execute("SELECT event, caller FROM audit_events ORDER BY at").fetchall()
        assert rows == [("key.made", "operator"), ("key.revoked", "operator")]
        assert key.split("_", 2)[2] not in str(list(database.iterdump()))


async def test_the_page_s_example_works(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        shlex.split(line) for line in PAGE.read_text().splitlines() if line[:10] == "vton keys "
    ]
    create, listed, revoked = [words[2:] for words in lines]
    assert await vton(*create) == 0
    told = capsys.readouterr()
    key = told.out.strip()
    assert re.search(r"expires: \d{4}-\d\d-\d\d", told.err)
    assert await vton(*listed) == 0
    assert "0.0/3600 GPU s    read,tryon,webhooks" in capsys.readouterr().out
    assert await vton(revoked[0], key[:17]) == 0
