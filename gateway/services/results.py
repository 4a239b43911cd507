"""Results: kept under keys of our own, remembered, handed out behind signed links."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from gateway.domain.names import TOKEN_BYTES, Folder, Keeping, ObjectName
from gateway.domain.results import StoredResult
from gateway.domain.signatures import signed_path, verify
from gateway.domain.uploads import ImageType, type_of_extension
from gateway.errors.kinds import NotFound, StorageFailed
from gateway.ports.clock import Clock
from gateway.ports.storage import ObjectStore, ResultMemo

PATH: Final = "/api/v1/results/"


@dataclass(frozen=True, slots=True)
class LinkRules:
    """How links are made: the signing key, their life, and what comes before the path."""

    secret: bytes
    ttl_s: int
    public_url: str


@dataclass(frozen=True, slots=True)
class Links:
    """Signed links to every picture of a result; `expires_at` is Unix seconds."""

    urls: tuple[str, ...]
    expires_at: int


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """A stored image, and for how many seconds it may be cached."""

    content: bytes
    media_type: str
    max_age_s: int


class ResultService:
    """Keeps results until they expire."""

    def __init__(
        self,
        store: ObjectStore,
        memo: ResultMemo,
        clock: Clock,
        randomness: Callable[[int], bytes],
        retention_s: float,
        link_rules: LinkRules,
    ) -> None:
        self._store = store
        self._memo = memo
        self._clock = clock
        self._randomness = randomness
        self._retention_s = retention_s
        self._link_rules = link_rules

    async def keep(
        self,
        request_key: str | None,
        images: Sequence[bytes],
        image_type: ImageType,
        metadata: Mapping[str, JsonValue],
        keeping: Keeping | None = None,
    ) -> StoredResult:
        """Store the pictures of a finished request, and remember the request by its key, if any.

        They are kept as everything is, unless told otherwise.
        """
        kept = keeping or Keeping(self._clock.now() + self._retention_s)
        files = [(image, image_type.extension, image_type.media_type) for image in images]
        result = StoredResult(await self._put(files, kept), int(kept.expires_at), metadata)
        if request_key is not None:
            self._memo.put(request_key, result)
        return result

    async def copy(self, result: StoredResult, keeping: Keeping) -> StoredResult:
        """The same pictures under names of their own; raises NotFound."""
        opened = [await self.open(name) for name in result.names]
        files = [
            (one.content, name.rpartition(".")[2], one.media_type)
            for name, one in zip(result.names, opened, strict=True)
        ]
        names = await self._put(files, keeping)
        return StoredResult(names, int(keeping.expires_at), result.metadata)

    async def _put(
        self, files: Sequence[tuple[bytes, str, str]], keeping: Keeping
    ) -> tuple[str, ...]:
        """Store contents with their extensions and media types: all of them, or none."""
        names: list[str] = []
        try:
            for content, extension, media_type in files:
                name = ObjectName.new(keeping, self._randomness(TOKEN_BYTES), extension)
                names.append(str(name))
                await self._store.put(name.key(Folder.RESULTS), content, media_type)
        except BaseException:
            with suppress(StorageFailed):  # what is left then goes at its expiry
                await self._delete(names)
            raise
        return tuple(names)

    async def erase(self, result: StoredResult) -> None:
        """Erase a result's pictures, and remember it no more."""
        self.forget(result.names)
        await self._delete(result.names)

    async def _delete(self, names: Collection[str]) -> None:
        deleting = (self._store.delete(f"{Folder.RESULTS}/{name}") for name in names)
        for failed in await asyncio.gather(*deleting, return_exceptions=True):
            if failed is not None:
                raise failed

    def forget(self, names: Collection[str]) -> int:
        """Remember no result that has one of these pictures; how many there were."""
        return self._memo.drop(names)

    async def tidy(self) -> int:
        """Remember no result that is over, or whose pictures are gone; how many there were."""
        places = {name: f"{Folder.RESULTS}/{name}" for name in self._memo.names()}
        gone = [name for name, key in places.items() if not await self._store.exists(key)]
        return self._memo.drop(gone)

    async def recall(self, request_key: str) -> StoredResult | None:
        """The result of an identical request, as long as its pictures are still there."""
        result = self._memo.get(request_key)
        if result is None:
            return None
        for name in result.names:
            if not await self._store.exists(f"{Folder.RESULTS}/{name}"):
                self._memo.drop(result.names)
                return None
        return result

    def links(self, result: StoredResult) -> Links:
        """Sign links that live as long as configured, but not longer than the result."""
        rules = self._link_rules
        expires_at = min(int(self._clock.now()) + rules.ttl_s, result.expires_at)
        urls = (
            rules.public_url + signed_path(rules.secret, f"{PATH}{name}", expires_at)
            for name in result.names
        )
        return Links(tuple(urls), expires_at)

    def signed(self, path: str, ttl_s: int) -> str:
        """A link to a path of our own that may be shown instead of a token, for a while."""
        rules = self._link_rules
        expires_at = int(self._clock.now()) + ttl_s
        return rules.public_url + signed_path(rules.secret, path, expires_at)

    def check(self, path: str, expires: str, signature: str) -> int:
        """For how many seconds a link of `signed` holds; raises LinkInvalid, LinkExpired."""
        now = self._clock.now()
        verify(self._link_rules.secret, path, expires, signature, now)
        return int(int(expires) - now)

    async def open(self, name: str, max_age_s: int = 0) -> OpenedImage:
        """A stored picture by its name; raises NotFound."""
        parsed = ObjectName.parse(name)
        image_type = type_of_extension(parsed.extension) if parsed else None
        if parsed is None or image_type is None or parsed.has_expired(self._clock.now()):
            raise NotFound
        content = await self._store.get(parsed.key(Folder.RESULTS))
        if content is None:
            raise NotFound
        return OpenedImage(content, image_type.media_type, max_age_s)
