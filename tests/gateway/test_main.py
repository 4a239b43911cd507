"""`python -m gateway` as a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from tests.gateway import pictures
from tests.gateway.running import HANGS_S

ROOT = Path(__file__).parents[2]
PORT_IN_USE = "Uvicorn running on "


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VTON_")}
    nowhere = "http://127.0.0.1:9"
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "VTON_STORAGE__URL": "memory://",
        "VTON_TORCHSERVE__INFERENCE_URL": nowhere,
        "VTON_TORCHSERVE__MANAGEMENT_URL": nowhere,
        **settings,
    }


def lines_until(process: "subprocess.Popen[str]", text: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(json.loads(line))
        if text in lines[-1]["message"]:
            return lines
    raise AssertionError(lines)


@pytest.fixture
def process(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "--port", "0"],
        cwd=ROOT,
        env=environment(
            VTON_STORAGE__URL=f"file://{tmp_path}/objects", VTON_SESSIONS__IS_RUNNING="false"
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        yield running
        running.kill()


def url_of(lines: list[dict[str, Any]]) -> str:
    message: str = lines[-1]["message"]
    return message.removeprefix(PORT_IN_USE).partition(" ")[0]


@pytest.mark.slow
def test_the_memory_of_a_large_picture_is_given_back(process: "subprocess.Popen[str]") -> None:
    url = url_of(lines_until(process, PORT_IN_USE))
    large = pictures.encoded(Image.new("RGB", (7000, 7000), "teal"), "PNG", compress_level=1)
    measured = psutil.Process(process.pid)
    before = measured.memory_info().rss
    with httpx.Client(base_url=url, timeout=HANGS_S) as client:
        for _ in range(2):
            file = ("large.png", large, "image/png")
            assert client.post("/api/v1/uploads", files={"file": file}).status_code == 201
    assert measured.memory_info().rss - before < 64 << 20


def test_it_serves_logs_json_alone_and_ends_on_a_signal(
    process: "subprocess.Popen[str]",
) -> None:
    lines = lines_until(process, PORT_IN_USE)
    url = url_of(lines)
    with httpx.Client(base_url=url, timeout=HANGS_S) as client:
        assert client.get("/health/live").json() == {"status": "alive"}
        assert client.get("/health").status_code == 503
    process.send_signal(signal.SIGTERM)
    lines += [json.loads(line) for line in process.stdout or []]
    assert process.wait() in {0, -signal.SIGTERM}
    assert all({"timestamp", "level", "message", "request_id"} <= line.keys() for line in lines)


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_signal_ends_those_who_wait_and_watch_at_once_and_well(
    process: "subprocess.Popen[str]",
) -> None:
    url = url_of(await asyncio.to_thread(lines_until, process, PORT_IN_USE))
    path = f"{url}/api/v1/tryon/sessions"
    photo = ("photo.jpg", pictures.jpeg((96, 120), seed=1), "image/jpeg")
    files = {"user_image": photo, "garment_image": photo}
    async with httpx.AsyncClient(headers={"X-User-Token": "m" * 32}, timeout=60) as client:
        made = (await client.post(path, files=files)).json()
        socket = connect(f"ws{url.removeprefix('http')}{made['urls']['socket']}")
        events = client.stream("GET", url + made["urls"]["events"])
        async with events as stream, socket as talking:
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            waiting = asyncio.create_task(
                client.post(path, files=files, headers={"Prefer": "wait=59"})
            )
            while len((await client.get(path)).json()["sessions"]) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            assert "event: state" in [line async for line in lines]
            assert json.loads(await talking.recv())["type"] == "state"
            with pytest.raises(ConnectionClosedError, match="1012"):
                await talking.recv()
            answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (201, "created")
    logged = [json.loads(line) for line in process.stdout or []]
    assert [line for line in logged if line["level"] == "error"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("VTON_HTTP__PORT", "eighty"), ("VTON_HTTP__DOCS", "maybe"), ("VTON_UPLOADS", "nonsense")],
)
@pytest.mark.prop(37)
def test_a_wrong_setting_stops_the_start_by_name(name: str, value: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"],
        cwd=ROOT,
        env=environment(**{name: value}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    line = json.loads(ended.stdout)
    assert line["level"] == "critical"
    assert name.removeprefix("VTON_").lower().replace("__", ".") in line["reason"].lower().replace(
        "__", "."
    )
