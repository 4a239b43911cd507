"""A request that is refused leaves no photo: whoever sent it was told that nothing was changed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes

import httpx
import pytest

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.sql.book import SqlSessionBook
from gateway.assembly.sessions import session_service
from gateway.domain.sessions import Created, Draft, RepeatKey
from gateway.domain.uploads import Upload
from gateway.errors.kinds import CommitFailed, StorageFailed
from gateway.services.pictures import PictureService
from gateway.services.session_drafts import SessionRequest, Wearer, Worn
from tests.gateway import pictures
from tests.gateway.running import Gateway, ManualClock, running_gateway
from tests.gateway.sessions.workshop import DAY_S, QUICK, Place, opened

pytestmark = pytest.mark.anyio

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}


class Lost(SqlSessionBook):
    """Writes sessions down, and never comes to say so."""

    async def create(self, draft: Draft, repeat: RepeatKey | None = None) -> Created:
        await super().create(draft, repeat)
        raise CommitFailed


class Full(ObjectStoreAdapter):
    """Has room for one picture, and says so to who comes second when the first is in."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.is_full = False
        self._turns = asyncio.Lock()

    async def put(self, key: str, content: bytes, media_type: str) -> None:
        async with self._turns:
            if self.is_full:
                raise StorageFailed
            await super().put(key, content, media_type)
            self.is_full = True


@asynccontextmanager
async def accepting(folder: Path, timeout_s: float) -> AsyncIterator[Gateway]:
    """A gateway that makes nothing, and waits so long for its database."""
    database = {"url": f"sqlite:///{folder}/sessions.sqlite", "timeout_s": timeout_s}
    nobody = {"is_running": False}
    async with running_gateway(folder, sessions=nobody, database=database) as running:
        yield running


async def create(gateway: Gateway, seed: int = 1, **headers: str) -> httpx.Response:
    photos = {"user_image": pictures.jpeg((96, 120), seed=seed), "garment_image": gateway.garment}
    files = {name: (f"{name}.jpg", photo, "image/jpeg") for name, photo in photos.items()}
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return await gateway.client.post(PATH, headers=MINE | told, files=files)


def want() -> SessionRequest:
    photo = Upload("photo.png", pictures.png((32, 40)), "image/png")
    return SessionRequest(
        owner="whole",
        wearers=(Wearer(photo),),
        garments=(Worn(photo, {"category": "dresses"}),),
        engine=None,
        given={},
        request_id="0123456789abcdef",
        key="order-7",
    )


async def photos(gateway: Gateway) -> list[str]:
    return [key async for key in gateway.resources.store.keys("uploads")]


async def test_of_many_requests_with_one_key_only_that_which_is_taken_leaves_photos(
    tmp_path: Path,
) -> None:
    async with accepting(tmp_path, timeout_s=60) as gateway:
        asked = [create(gateway, seed, Idempotency_Key="order-7") for seed in range(5)]
        answers = sorted(answer.status_code for answer in await asyncio.gather(*asked))
        assert answers == [201, 409, 409, 409, 409]
        assert len(await photos(gateway)) == 2


async def test_a_database_that_takes_nothing_leaves_no_photos(tmp_path: Path) -> None:
    async with accepting(tmp_path, timeout_s=0.2) as gateway:
        file = tmp_path / "sessions.sqlite"
        holder = sqlite3.connect(file, 60, isolation_level=None, check_same_thread=False)
        await asyncio.to_thread(holder.execute, "BEGIN IMMEDIATE")  # the gateway may be writing
        answer = await create(gateway)
        holder.execute("ROLLBACK")
        holder.close()
        assert (answer.status_code, answer.json()["error_code"]) == (503, "SYS_9004")
        assert await photos(gateway) == []


async def test_a_broken_photo_leaves_none_of_the_sound_one_beside_it(tmp_path: Path) -> None:
    async with accepting(tmp_path, timeout_s=5) as gateway:
        gateway.garment = gateway.garment[:200]
        answer = await create(gateway)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "VAL_2004")
        assert answer.json()["details"]["field"] == "garment_image"
        assert await photos(gateway) == []


async def test_where_nobody_knows_whether_it_was_accepted_the_photos_stay(tmp_path: Path) -> None:
    """A repeat finds it whole; photos of none are strays before long."""
    place, clock, wanted = (
        Place(f"sqlite:///{tmp_path}/vton.db", "memory://"),
        ManualClock(),
        want(),
    )
    async with opened(place, clock, ["whole"]) as sessions:
        ground = sessions.erasing.ground
        book = sessions.book
        lost = replace(ground, book=Lost(book._database, clock))
        with pytest.raises(CommitFailed):
            await session_service(lost, QUICK, sessions.erasing.sessions).create(wanted)
        assert (await sessions.service.create(wanted)).is_repeat
        assert len([key async for key in sessions.store.keys("uploads")]) == 2


async def test_of_photos_that_cannot_all_be_stored_none_is(tmp_path: Path) -> None:
    place, clock = Place(f"sqlite:///{tmp_path}/vton.db", "memory://"), ManualClock()
    async with opened(place, clock, ["whole"]) as sessions:
        store, ground = Full("memory://"), sessions.erasing.ground
        drawn_on = PictureService(store, ground.pictures._decoder, clock, token_bytes, DAY_S)
        full = replace(ground, pictures=drawn_on)
        with pytest.raises(StorageFailed):
            await session_service(full, QUICK, sessions.erasing.sessions).create(want())
        assert store.is_full
        assert [key async for key in store.keys("")] == []
