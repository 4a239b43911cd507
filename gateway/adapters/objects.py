"""Objects in a local folder, in memory or in an S3 bucket: one code, chosen by URL."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from gateway.errors import Misconfigured, StorageFailed

_PRIVATE: Final = 0o700
_FAILURES: Final = (BaseError, OSError, ValueError)


class ObjectStoreAdapter:
    """Implements the ObjectStore port on obstore.

    `url` is `file:///folder` (or `file://./folder`, relative), `memory://` or `s3://bucket/prefix`,
    whose credentials and endpoint come from the standard AWS_* variables.
    """

    def __init__(self, url: str) -> None:
        self._store = _open(url)
        # A local folder keeps no media type beside the bytes.
        self._keeps_media_type = isinstance(self._store, S3Store)

    async def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store new bytes; an existing key is an error, never overwritten."""
        attributes = {"Content-Type": media_type} if self._keeps_media_type else None
        with _storage_errors():
            await obstore.put_async(self._store, key, content, mode="create", attributes=attributes)

    async def get(self, key: str) -> bytes | None:
        """The bytes, or None when there are none."""
        with _storage_errors():
            try:
                found = await obstore.get_async(self._store, key)
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under this key."""
        with _storage_errors():
            try:
                await obstore.head_async(self._store, key)
            except FileNotFoundError:
                return False
            return True

    async def delete(self, key: str) -> None:
        """Erase the bytes, if there are any."""
        with _storage_errors():
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                return

    async def keys(self, folder: str) -> AsyncIterator[str]:
        """Every key below a folder."""
        with _storage_errors():
            async for page in obstore.list(self._store, prefix=folder):
                for item in page:
                    yield item["path"]


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Whatever the store raises becomes StorageFailed, whose message shows no path."""
    try:
        yield
    except AlreadyExistsError as error:
        raise StorageFailed("The object exists already.") from error
    except _FAILURES as error:
        raise StorageFailed from error


def _open(url: str) -> LocalStore | MemoryStore | S3Store:
    parts = urlsplit(url)
    match parts.scheme:
        case "file":
            folder = Path(parts.netloc + parts.path).absolute()
            folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            return LocalStore(folder)
        case "memory":
            return MemoryStore()
        case "s3" if parts.netloc:
            return S3Store(parts.netloc, prefix=parts.path.strip("/") or None)
    raise Misconfigured("setting VTON_STORAGE__URL: must begin with file://, memory:// or s3://")
