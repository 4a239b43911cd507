"""Pictures on their way in: decoded once, stored under names of our own, found again by id."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from gateway.domain.collage import SheetRules
from gateway.domain.images import Picture, check_proportions, picture_of_png
from gateway.domain.names import TOKEN_BYTES, Folder, Keeping, ObjectName, place_of
from gateway.domain.uploads import ImageType, Upload
from gateway.errors.kinds import GatewayError, NotFound
from gateway.ports.clock import Clock
from gateway.ports.pictures import PictureDecoder
from gateway.ports.storage import ObjectStore

INPUTS: Final = "/api/v1/inputs/"


@dataclass(frozen=True, slots=True)
class UploadReference:
    """A picture that was uploaded before, and who says so; None: somebody who is but an address."""

    field: str
    upload_id: str
    keeper: str | None = None


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A picture that a session was made with, by its name in the store."""

    field: str
    name: str


Source = Upload | UploadReference | StoredReference


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture in the store; `expires_at` is Unix seconds."""

    upload_id: str
    expires_at: int
    picture: Picture


class PictureService:
    """Turns uploads and references to them into normalised pictures."""

    def __init__(
        self,
        store: ObjectStore,
        decoder: PictureDecoder,
        clock: Clock,
        randomness: Callable[[int], bytes],
        retention_s: float,
    ) -> None:
        self._store = store
        self._decoder = decoder
        self._clock = clock
        self._randomness = randomness
        self._retention_s = retention_s

    async def keep(self, upload: Upload, keeper: str | None) -> StoredPicture:
        """Check an upload and store it until it expires, for this keeper or for who has its id."""
        place = "" if keeper is None else place_of(keeper)
        kept = Keeping(self._clock.now() + self._retention_s, place)
        picture, name = await self.take(upload, kept)
        return StoredPicture(str(replace(name, place="")), name.expires_at, picture)

    async def take(self, source: Source | Picture, keeping: Keeping) -> tuple[Picture, ObjectName]:
        """The normalised photo, stored so long; raises what `photo` does, and StorageFailed.

        A store that is at hand is written to where the photo is decoded: to go to other threads for
        it, and back, takes longer than to write it.
        """
        if isinstance(source, Upload):
            name = self._name(keeping)
            write = self._store.writer(name.key(Folder.UPLOADS))
            if write is not None:
                return await self._decoder.photo(source, write), name
        picture = await self.photo(source)
        return picture, await self.put(picture, keeping)

    async def put(self, picture: Picture, keeping: Keeping) -> ObjectName:
        """Store a picture so long; an upload as any other."""
        name = self._name(keeping)
        await self._store.put(name.key(Folder.UPLOADS), picture.png, ImageType.PNG.media_type)
        return name

    async def discard(self, place: str) -> None:
        """Erase the pictures of a place where nothing comes to be; what is left are strays."""
        try:
            for key in [key async for key in self._store.keys(f"{Folder.UPLOADS}/{place}")]:
                await self._store.delete(key)
        except GatewayError as error:
            log = structlog.get_logger(__name__)
            log.warning("photos of no session are left", error_code=error.code)

    async def stored(self, name: str) -> bytes:
        """The PNG of a picture in the store; raises NotFound."""
        return await self._find(StoredReference("name", name))

    async def photo(self, source: Source | Picture) -> Picture:
        """The normalised photo; raises NotFound for an unknown or expired reference."""
        if isinstance(source, Picture):
            return source
        if isinstance(source, Upload):
            return await self._decoder.photo(source)
        return picture_of_png(await self._find(source))

    async def mask(self, source: Source, person: Picture) -> Picture:
        """The mask on the person's photo."""
        return await self._decoder.mask(await self._upload(source), person)

    async def overlay(self, source: Source, person: Picture) -> Picture:
        """A coloured picture that lies on the person's photo."""
        picture = await self.photo(source)
        check_proportions(source.field, (picture.width_px, picture.height_px), person)
        return picture

    async def collage(
        self, pictures: Sequence[Picture], labels: Sequence[str], rules: SheetRules
    ) -> bytes:
        """All pictures on one JPEG, each under its label."""
        return await self._decoder.collage(pictures, labels, rules)

    async def suggestions(self, pictures: Sequence[Picture]) -> tuple[str, ...]:
        """Keywords for what goes with the colours of pictures."""
        return await self._decoder.suggestions(pictures)

    def _name(self, keeping: Keeping) -> ObjectName:
        return ObjectName.new(keeping, self._randomness(TOKEN_BYTES))

    async def _upload(self, source: Source) -> Upload:
        if isinstance(source, Upload):
            return source
        return Upload(source.field, await self._find(source), ImageType.PNG.media_type)

    async def _find(self, reference: UploadReference | StoredReference) -> bytes:
        for name in _names(reference):
            if not name.has_expired(self._clock.now()):
                content = await self._store.get(name.key(Folder.UPLOADS))
                if content is not None:
                    return content
        raise NotFound("There is no such upload.", details={"field": reference.field})


def _names(reference: UploadReference | StoredReference) -> Sequence[ObjectName]:
    """Under which names it may lie: the keeper's own, and those that are nobody's."""
    if isinstance(reference, StoredReference):
        name = ObjectName.parse(reference.name)
        return () if name is None else (name,)
    name = ObjectName.parse(reference.upload_id)
    if name is None or name.place:
        return ()
    if reference.keeper is None:
        return (name,)
    return replace(name, place=place_of(reference.keeper)), name
