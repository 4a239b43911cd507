import asyncio
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import obstore
import pytest
from obstore.store import S3Store

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.errors.kinds import Misconfigured, StorageFailed
from tests.gateway.logs import lines_of
from tests.servers.fault_proxy import FaultProxy
from tests.servers.fixtures import use_s3
from tests.servers.s3_server import S3Server

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStoreAdapter:
    urls = {"memory": "memory://", "file": f"file://{tmp_path}/deep/objects"}
    if request.param == "s3":
        return ObjectStoreAdapter(request.getfixturevalue("s3_url") + "/deep/objects")
    return ObjectStoreAdapter(urls[request.param])


async def test_what_is_put_is_got(store: ObjectStoreAdapter) -> None:
    await store.put("results/a.jpg", b"bytes", "image/jpeg")
    assert await store.get("results/a.jpg") == b"bytes"
    assert await store.exists("results/a.jpg")


async def test_what_is_not_there_is_none(store: ObjectStoreAdapter) -> None:
    assert await store.get("results/a.jpg") is None
    assert not await store.exists("results/a.jpg")
    await store.delete("results/a.jpg")


async def test_nothing_is_written_twice(store: ObjectStoreAdapter) -> None:
    await store.put("results/a.jpg", b"first", "image/jpeg")
    with pytest.raises(StorageFailed):
        await store.put("results/a.jpg", b"second", "image/jpeg")
    assert await store.get("results/a.jpg") == b"first"


async def test_the_same_bytes_again_are_what_was_asked_for(store: ObjectStoreAdapter) -> None:
    for _ in range(2):
        await store.put("results/a.jpg", b"bytes", "image/jpeg")
    assert await store.get("results/a.jpg") == b"bytes"


async def test_of_many_who_write_one_key_one_wins(store: ObjectStoreAdapter) -> None:
    contents = [str(number).encode() for number in range(8)]
    writes = [store.put("results/a.jpg", content, "image/jpeg") for content in contents]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(answer is None for answer in answers) == 1
    assert await store.get("results/a.jpg") == contents[answers.index(None)]


async def test_a_folder_is_erased_with_all_below_it(store: ObjectStoreAdapter) -> None:
    for key in ("sessions/1/a", "sessions/1/deep/b", "sessions/10/c"):
        await store.put(key, b"x", "image/jpeg")
    assert await store.erase("sessions/1") == 2
    assert await store.erase("sessions/1") == 0
    assert [key async for key in store.keys("sessions")] == ["sessions/10/c"]


async def test_a_folder_lists_its_keys(store: ObjectStoreAdapter) -> None:
    for key in ("results/a.jpg", "results/b.jpg", "uploads/c"):
        await store.put(key, b"x", "image/jpeg")
    assert sorted([key async for key in store.keys("results")]) == [
        "results/a.jpg",
        "results/b.jpg",
    ]
    await store.delete("results/a.jpg")
    assert [key async for key in store.keys("results")] == ["results/b.jpg"]
    assert [key async for key in store.keys("nothing")] == []


def writing(store: ObjectStoreAdapter, key: str) -> Callable[[bytes], None]:
    write = store.writer(key)
    assert write is not None
    return write


async def test_a_folder_is_written_to_from_any_thread(tmp_path: Path) -> None:
    store = ObjectStoreAdapter(f"file://{tmp_path}")
    writing(store, "uploads/1/a")(b"bytes")
    assert await store.get("uploads/1/a") == b"bytes"
    contents = [str(number).encode() for number in range(8)]
    writes = [asyncio.to_thread(writing(store, "uploads/1/b"), one) for one in contents]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(one) for one in answers if one is not None] == [StorageFailed] * 7
    assert await store.get("uploads/1/b") == contents[answers.index(None)]
    assert sorted(file.name for file in (tmp_path / "uploads" / "1").iterdir()) == ["a", "b"]


async def test_what_is_no_folder_is_written_to_by_waiting(s3_url: str) -> None:
    for url in ("memory://", s3_url):
        assert ObjectStoreAdapter(url).writer("uploads/a") is None


@pytest.mark.parametrize("key", ["../escape", "results/../../escape", "a/./b", "/etc/escape"])
def test_a_writer_cannot_leave_the_store(tmp_path: Path, key: str) -> None:
    store = ObjectStoreAdapter(f"file://{tmp_path}/objects")
    with pytest.raises(StorageFailed):
        writing(store, key)(b"x")
    assert list(tmp_path.rglob("*")) == [tmp_path / "objects"]


@pytest.mark.parametrize("key", ["../escape", "results/../../escape", "a/./b"])
async def test_a_key_cannot_leave_the_store(store: ObjectStoreAdapter, key: str) -> None:
    with pytest.raises(StorageFailed) as caught:
        await store.put(key, b"x", "image/jpeg")
    assert caught.value.message == StorageFailed.default_message


def test_a_local_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    ObjectStoreAdapter(f"file://{tmp_path}/objects")
    assert (tmp_path / "objects").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["", "http://host/bucket", "s3://", "results"])
def test_another_url_stops_the_start(url: str) -> None:
    with pytest.raises(Misconfigured, match="VTON_STORAGE__URL"):
        ObjectStoreAdapter(url)


@pytest.mark.parametrize(("status", "warnings"), [("Enabled", 1), ("Suspended", 0), (None, 0)])
async def test_a_bucket_that_keeps_what_is_erased_is_told_of_once(
    status: str | None, warnings: int, s3_url: str, log: io.StringIO
) -> None:
    if status is not None:
        wanted = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
        bucket = s3_url.removeprefix("s3://")
        place = f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}?versioning"
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.put(place, content=wanted)).raise_for_status()
    store = ObjectStoreAdapter(s3_url)
    for name in "ab":
        await store.put(name, b"bytes", "image/png")
    told = [line for line in lines_of(log) if "versioning" in line["message"]]
    assert [line["level"] for line in told] == ["error"] * warnings


async def test_s3_tells_a_browser_what_it_holds(s3_url: str) -> None:
    await ObjectStoreAdapter(s3_url).put("a.png", b"bytes", "image/png")
    bucket = S3Store(s3_url.removeprefix("s3://"), client_options={"allow_http": True})
    link = await obstore.sign_async(bucket, "GET", "a.png", timedelta(minutes=1))
    async with httpx.AsyncClient(trust_env=False) as client:
        fetched = await client.get(link)
    assert fetched.headers["content-type"] == "image/png"
    assert fetched.content == b"bytes"


@pytest.fixture
async def troubled(
    s3_url: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ObjectStoreAdapter, FaultProxy]]:
    """A store on S3 by way of a proxy that fails as it is told."""
    async with FaultProxy(s3_server.port).running() as proxy:
        use_s3(f"http://127.0.0.1:{proxy.port}", monkeypatch)
        yield ObjectStoreAdapter(s3_url), proxy


SLOW_DOWN = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def slow_down(proxy: FaultProxy) -> None:
    proxy.faults.answer_next.append(SLOW_DOWN)


def reset(proxy: FaultProxy) -> None:
    proxy.faults.reset_next = 1


def lose_the_answer(proxy: FaultProxy) -> None:
    """The server did it, and nobody knows."""
    proxy.faults.lose_next = 1


@pytest.mark.parametrize("fault", [slow_down, reset, lose_the_answer])
async def test_one_fault_of_s3_is_not_noticed(
    troubled: tuple[ObjectStoreAdapter, FaultProxy], fault: Callable[[FaultProxy], None]
) -> None:
    store, proxy = troubled
    fault(proxy)
    await store.put("results/a.jpg", b"bytes", "image/jpeg")
    fault(proxy)
    assert await store.get("results/a.jpg") == b"bytes"
    fault(proxy)
    assert await store.exists("results/a.jpg")
    fault(proxy)
    assert [key async for key in store.keys("results")] == ["results/a.jpg"]
    fault(proxy)
    await store.delete("results/a.jpg")
    assert not await store.exists("results/a.jpg")


async def _list(store: ObjectStoreAdapter) -> None:
    assert [key async for key in store.keys("results")]


@pytest.mark.parametrize(
    "work",
    [
        lambda store: store.put("results/a.jpg", b"bytes", "image/jpeg"),
        lambda store: store.get("results/a.jpg"),
        lambda store: store.exists("results/a.jpg"),
        lambda store: store.delete("results/a.jpg"),
        lambda store: store.erase("results"),
        _list,
    ],
    ids=["put", "get", "exists", "delete", "erase", "keys"],
)
async def test_an_s3_that_is_away_is_storage_that_failed(
    troubled: tuple[ObjectStoreAdapter, FaultProxy],
    work: Callable[[ObjectStoreAdapter], Awaitable[object]],
) -> None:
    store, proxy = troubled
    proxy.faults.is_refusing = True
    with pytest.raises(StorageFailed) as caught:
        await work(store)
    assert caught.value.message == StorageFailed.default_message


async def test_what_a_gateway_that_died_was_writing_is_cleared_after_an_hour(
    tmp_path: Path,
) -> None:
    store = ObjectStoreAdapter(f"file://{tmp_path}")
    await store.put("results/a.jpg", b"whole", "image/jpeg")
    old, new = (tmp_path / "results" / f"{name}.jpg#1" for name in ("old", "new"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert [key async for key in store.keys("")] == ["results/a.jpg"]
    assert await store.clear_unfinished() == 1
    assert {file.name for file in (tmp_path / "results").iterdir()} == {"a.jpg", "new.jpg#1"}
    assert await ObjectStoreAdapter("memory://").clear_unfinished() == 0
