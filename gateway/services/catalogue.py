"""Where garments lie until they are deleted: a description and a picture each, in the store."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain import garments
from gateway.domain.garments import Details, Garment
from gateway.domain.images import Picture, picture_of_png
from gateway.domain.names import TOKEN_BYTES
from gateway.domain.uploads import ImageType
from gateway.errors.kinds import InvalidInput, NotFound
from gateway.ports.clock import Clock
from gateway.ports.storage import ObjectStore

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class GarmentReference:
    """A garment of the catalogue, and the field that names it."""

    field: str
    garment_id: str


@dataclass(frozen=True, slots=True)
class GarmentPage:
    """Some garments, the newest first; `following` is where the next page begins."""

    garments: tuple[Garment, ...]
    following: str | None


class Catalogue:
    """Keeps garments.

    The description is written last and erased first, so that none ever lacks its picture.
    """

    def __init__(
        self, store: ObjectStore, clock: Clock, randomness: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness

    async def keep(self, picture: Picture, details: Details) -> Garment:
        """Store a garment; raises StorageFailed."""
        now = int(self._clock.now())
        garment = Garment(
            **details,
            garment_id=garments.new_id(now, self._randomness(TOKEN_BYTES)),
            created_at=now,
            width_px=picture.width_px,
            height_px=picture.height_px,
        )
        key = garments.picture_key(garment.garment_id)
        await self._store.put(key, picture.png, ImageType.PNG.media_type)
        key = garments.record_key(garment.garment_id)
        await self._store.put(key, garment.model_dump_json().encode(), _JSON)
        return garment

    async def find(self, reference: GarmentReference) -> Garment:
        """A garment's description; raises NotFound, or StorageFailed."""
        garment = await self._read(reference.garment_id)
        if garment is None:
            raise NotFound("There is no such garment.", details={"field": reference.field})
        return garment

    async def picture(self, reference: GarmentReference) -> Picture:
        """A garment's picture; raises NotFound, or StorageFailed."""
        garment = await self.find(reference)
        content = await self._store.get(garments.picture_key(garment.garment_id))
        if content is None:
            raise NotFound("There is no such garment.", details={"field": reference.field})
        return picture_of_png(content)

    async def page(self, before: str | None, limit: int) -> GarmentPage:
        """Those made before a garment, or the newest; raises InvalidInput, or StorageFailed.

        Every call walks the names of all of them, and reads those that it gives.
        """
        if before is not None and not garments.is_id(before):
            raise InvalidInput.of("cursor", "is not one that a page ended with")
        found = [
            name
            async for key in self._store.keys(garments.FOLDER)
            if (name := garments.id_of(key)) is not None and (before is None or name < before)
        ]
        found.sort(reverse=True)
        shown = await asyncio.gather(*(self._read(name) for name in found[:limit]))
        following = found[limit - 1] if len(found) > limit else None
        return GarmentPage(tuple(one for one in shown if one is not None), following)

    async def erase(self, garment: Garment) -> None:
        """Erase a garment for good; raises StorageFailed."""
        await self._store.delete(garments.record_key(garment.garment_id))
        await self._store.delete(garments.picture_key(garment.garment_id))

    async def _read(self, garment_id: str) -> Garment | None:
        if not garments.is_id(garment_id):
            return None
        content = await self._store.get(garments.record_key(garment_id))
        return None if content is None else Garment.of(content)
