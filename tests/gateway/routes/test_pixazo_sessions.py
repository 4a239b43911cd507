"""Sessions at the remote engine: as many as it has room for, and none is paid for twice."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.stand_ins.pixazo import Fault
from tests.gateway import pictures
from tests.gateway.routes.test_pixazo import ASKED, Place, remote

pytestmark = pytest.mark.anyio

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
QUICK = {"poll_s": 0.05, "beat_s": 0.05, "retry_first_s": 0.001, "retry_longest_s": 0.01}


async def created(place: Place, seed: int = 7) -> str:
    """A session, accepted; its id."""
    files = {
        "user_image": ("p.jpg", pictures.jpeg((96, 120), seed=1), "image/jpeg"),
        "garment_image": ("g.jpg", pictures.jpeg((96, 120), seed=2), "image/jpeg"),
    }
    data = {name: str(value) for name, value in (ASKED | {"seed": seed}).items()}
    answer = await place.gateway.client.post(PATH, headers=MINE, files=files, data=data)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["session_id"]
    return made


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def ended(place: Place, session_id: str) -> Any:  # noqa: ANN401
    """The only item of a session that has ended."""
    client, path = place.gateway.client, f"{PATH}/{session_id}"
    async with client.stream("GET", f"{path}/events", headers=MINE) as events:
        async for _ in events.aiter_raw():
            pass
    return (await client.get(path, headers=MINE)).json()["items"][0]


async def test_as_many_are_made_at_once_as_it_may_be_asked(tmp_path: Path) -> None:
    room = {"max_concurrent": 3}
    async with remote(tmp_path, Fault.SILENT, pixazo=room, sessions=QUICK) as place:
        for seed in range(4):
            await created(place, seed)
        await until(lambda: len(place.remote.asked) == 3)
