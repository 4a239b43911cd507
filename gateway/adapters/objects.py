"""Objects in a local folder, in memory or in an S3 bucket: one code, chosen by URL."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from gateway.adapters.whole import whole
from gateway.errors.kinds import Misconfigured, StorageFailed

_PRIVATE: Final = 0o700
_CONNECT: Final = timedelta(seconds=2)
_ATTEMPT: Final = timedelta(seconds=15)
_RETRIES: Final = 3
_PATIENCE: Final = timedelta(seconds=20)
_UNFINISHED: Final = re.compile(r"#[0-9]+$")  # obstore's name for what it is writing
_UNFINISHED_S: Final = 3600.0
_NO_VERSION: Final = (None, "null")  # the latter where versioning was switched off
_OUTSIDE: Final = frozenset({"", ".", ".."})
_FAILURES: Final = (BaseError, OSError, ValueError)


class ObjectStoreAdapter:
    """Implements the ObjectStore port on obstore.

    `url` is `file:///folder` (or `file://./folder`, relative), `memory://` or `s3://bucket/prefix`,
    whose credentials and endpoint come from the standard AWS_* variables.
    """

    def __init__(self, url: str) -> None:
        self._store = _open(url)
        # Nothing else keeps a media type beside the bytes.
        self._is_remote = isinstance(self._store, S3Store)
        self._folder = self._store.prefix if isinstance(self._store, LocalStore) else None
        self._is_versioned = False

    @whole
    async def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store new bytes; an existing key with others is an error, never overwritten."""
        attributes = {"Content-Type": media_type} if self._is_remote else None

        async def write() -> None:
            told = await obstore.put_async(
                self._store, key, content, mode="create", attributes=attributes
            )
            self._heed(told["version"])

        with _storage_errors():
            try:
                await self._repeated(write)
            except AlreadyExistsError:
                # Written by an attempt whose answer was lost, it is what was asked for.
                if await self.get(key) != content:
                    raise

    def writer(self, key: str) -> Callable[[bytes], None] | None:
        """What stores new bytes in the folder, at once and in any thread; a bucket takes longer."""
        return None if self._folder is None else partial(_write, self._folder, key)

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

    @whole
    async def delete(self, key: str) -> None:
        """Erase the bytes, if there are any."""
        with _storage_errors():
            try:
                await self._repeated(partial(obstore.delete_async, self._store, key))
            except FileNotFoundError:
                return

    async def erase(self, folder: str) -> int:
        """Erase everything below a folder; how much there was."""
        erased = 0
        with _storage_errors():
            async for page in obstore.list(self._store, prefix=folder):
                paths = [item["path"] for item in page]
                await self._repeated(partial(obstore.delete_async, self._store, paths))
                erased += len(paths)
        return erased

    async def clear_unfinished(self) -> int:
        """Erase what a gateway that died was writing an hour ago or longer; how many files.

        A folder shows nothing of it in its listings; a bucket has none.
        """
        if self._folder is None:
            return 0
        with _storage_errors():
            return await asyncio.to_thread(_clear, self._folder, time.time() - _UNFINISHED_S)

    async def _repeated(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write, and once more when the connection breaks: every write here may be repeated.

        The client by itself repeats only what reads.
        """
        try:
            await write()
        except (AlreadyExistsError, FileNotFoundError):
            raise
        except BaseError:
            if not self._is_remote:
                raise
            await write()

    def _heed(self, version: str | None) -> None:
        """Say it once if the store keeps versions: it then keeps whatever is erased, too."""
        if version not in _NO_VERSION and not self._is_versioned:
            self._is_versioned = True
            log = structlog.get_logger(__name__)
            log.error("the bucket keeps erased pictures: it has versioning on, see docs/privacy.md")

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


def _write(folder: Path, key: str, content: bytes) -> None:
    """Have a new file there, whole or not at all; meanwhile it is called as obstore's own are."""
    if not _OUTSIDE.isdisjoint(key.split("/")):
        raise StorageFailed
    path = folder / key
    unfinished = path.with_name(f"{path.name}#1")
    with _storage_errors():
        try:
            file = unfinished.open("xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = unfinished.open("xb")
        try:
            with file:
                file.write(content)
            path.hardlink_to(unfinished)  # unlike a renaming, it never takes another's place
        finally:
            unfinished.unlink()


def _clear(folder: Path, before: float) -> int:
    old = [
        file
        for file in folder.rglob("*#*")
        if _UNFINISHED.search(file.name) and file.is_file() and file.stat().st_mtime < before
    ]
    for file in old:
        file.unlink(missing_ok=True)
        if folder not in {file.parent, file.parent.parent}:
            with suppress(OSError):  # somebody else's file is in it
                file.parent.rmdir()
    return len(old)


def _open(url: str) -> LocalStore | MemoryStore | S3Store:
    parts = urlsplit(url)
    match parts.scheme:
        case "file":
            folder = Path(parts.netloc + parts.path).absolute()
            folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            # A folder that is named by what has been erased would be a trace of it.
            return LocalStore(folder, automatic_cleanup=True)
        case "memory":
            return MemoryStore()
        case "s3" if parts.netloc:
            return S3Store(
                parts.netloc,
                prefix=parts.path.strip("/") or None,
                client_options={
                    "timeout": _ATTEMPT,
                    "connect_timeout": _CONNECT,
                    # Given options hide this one, which comes with the endpoint.
                    "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true",
                },
                retry_config={"max_retries": _RETRIES, "retry_timeout": _PATIENCE},
            )
    raise Misconfigured("setting VTON_STORAGE__URL: must begin with file://, memory:// or s3://")
