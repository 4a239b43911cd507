from pathlib import Path

import pytest

from gateway.adapters.objects import ObjectStoreAdapter
from gateway.errors import Misconfigured, StorageFailed

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStoreAdapter:
    urls = {"memory": "memory://", "file": f"file://{tmp_path}/deep/objects"}
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
