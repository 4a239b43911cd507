"""Reads a batch into what the services take."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from gateway.domain.options import Given
from gateway.intake.tryon import (
    DENSEPOSE,
    GARMENT,
    GARMENT_ID,
    MASK,
    PERSON,
    Sent,
    from_json,
    source_of,
)
from gateway.schemas.batches import BatchBody, GarmentOfBatch, PersonOfBatch
from gateway.schemas.requests import ImageSource, TryOnOptions
from gateway.services.catalogue import GarmentReference
from gateway.services.pictures import Source
from gateway.services.session_drafts import Wearer, Worn
from gateway.settings.tree import UploadSettings

_CATEGORY: Final = "category"


@dataclass(frozen=True, slots=True)
class Batch:
    """Whom to dress in what."""

    wearers: tuple[Wearer, ...]
    garments: tuple[Worn, ...]
    engine: str | None
    given: Given


async def read_batch(request: Request, limits: UploadSettings) -> Batch:
    """Read a batch; raises the VAL errors."""
    body = await from_json(request, BatchBody)
    return await asyncio.to_thread(_read, body, Sent.by(request, limits))


def _read(body: BatchBody, sent: Sent) -> Batch:
    wearers = [_wearer(f"people.{n}", one, sent) for n, one in enumerate(body.people)]
    garments = [
        _worn(f"garments.{n}", one, body.options, sent) for n, one in enumerate(body.garments)
    ]
    given = {name: value for name, value in body.options.given().items() if name != _CATEGORY}
    return Batch(tuple(wearers), tuple(garments), body.options.engine, given)


def _wearer(where: str, one: PersonOfBatch, sent: Sent) -> Wearer:
    def source(name: str, picture: ImageSource | None) -> Source | None:
        return None if picture is None else source_of(f"{where}.{name}", picture, sent)

    photo = source_of(f"{where}.{PERSON}", one.user_image, sent)
    return Wearer(photo, source(MASK, one.mask), source(DENSEPOSE, one.densepose))


def _worn(where: str, one: GarmentOfBatch, options: TryOnOptions, sent: Sent) -> Worn:
    """A garment with its category: one of the catalogue knows its own, unless one was said."""
    own = one.given()
    if _CATEGORY not in own and (one.garment_image or _CATEGORY in options.model_fields_set):
        own[_CATEGORY] = options.category.value
    if one.garment_image is None:
        return Worn(GarmentReference(f"{where}.{GARMENT_ID}", one.garment_id or ""), own)
    return Worn(source_of(f"{where}.{GARMENT}", one.garment_image, sent), own)
