"""Garments to come: kept for good, and looked at by an engine before anybody wears them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.domain.garments import Garment
from gateway.domain.images import Picture
from gateway.domain.jobs import Job
from gateway.domain.licensing import Licensing
from gateway.domain.options import Category, Engine, Given, choose, plan
from gateway.domain.schedule import UNHURRIED
from gateway.errors.kinds import (
    BadDimensions,
    ContentMismatch,
    GatewayError,
    InvalidInput,
    PinsFull,
    Unfit,
)
from gateway.ports.models import Models
from gateway.services.catalogue import Catalogue, GarmentReference
from gateway.services.pictures import PictureService, Source

NOT_NEEDED: Final = "not_needed"
_THE_GARMENTS_FAULT: Final = (InvalidInput, Unfit, BadDimensions, ContentMismatch, PinsFull)


@dataclass(frozen=True, slots=True)
class GarmentRequest:
    """A garment to keep; `pinned` asks the engine never to forget what it saw of it.

    `payer` is the id of the API key that is charged for the looking.
    """

    picture: Source
    category: Category
    garment_description: str | None
    engine: str | None
    pinned: bool
    request_id: str
    caller: str
    payer: str | None = None

    @property
    def given(self) -> Given:
        """What is told of the garment, as options."""
        told = {"category": self.category, "garment_description": self.garment_description}
        return {name: str(value) for name, value in told.items() if value is not None}


class GarmentService:
    """Keeps garments in a catalogue, and has their engines look at them."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        default_engine: str,
        licensing: Licensing,
        pictures: PictureService,
        catalogue: Catalogue,
        models: Models,
    ) -> None:
        self._engines = engines
        self._default_engine = default_engine
        self._licensing = licensing
        self._pictures = pictures
        self._catalogue = catalogue
        self._models = models

    async def add(self, request: GarmentRequest) -> Garment:
        """Keep a garment, and have its engine look at it.

        An engine that is away or fails does not keep it out. Raises what the engine says against
        the garment itself, and what choosing, reading and storing raise.
        """
        engine = choose(self._engines, request.engine, self._default_engine)
        self._licensing.admit(engine)
        params = plan(engine, request.given).params
        picture = await self._pictures.photo(request.picture)
        job = _job(engine, params, picture, pinned=request.pinned, asked=request)
        reason = await self._warm(engine, job, request.picture.field)
        return await self._catalogue.keep(
            picture,
            {
                "category": request.category,
                "garment_description": request.garment_description,
                "engine": engine.name,
                "pinned": request.pinned,
                "warmed": reason is None,
                "reason": reason,
            },
        )

    async def remove(self, reference: GarmentReference, request_id: str, caller: str) -> None:
        """Erase a garment for good, and let its engine forget it; raises NotFound."""
        garment = await self._catalogue.find(reference)
        picture = await self._catalogue.picture(reference)
        await self._catalogue.erase(garment)
        engine = self._engines.get(garment.engine)
        if engine is not None and garment.warmed and garment.pinned:
            told = _Asked(request_id, caller)
            params = plan(engine, garment.worn).params
            await self._unpin(garment, _job(engine, params, picture, pinned=False, asked=told))

    async def _warm(self, engine: Engine, job: Job, field: str) -> str | None:
        """Have the engine look at a garment; the reason why it has not, None when it has."""
        if not engine.warms_garments:
            return NOT_NEEDED
        try:
            await self._models.predict(job)
        except _THE_GARMENTS_FAULT as error:
            error.details["field"] = field
            raise
        except GatewayError as error:
            return str(error.code)
        return None

    async def _unpin(self, garment: Garment, job: Job) -> None:
        try:
            await self._models.predict(job)
        except GatewayError as error:
            log = structlog.get_logger(__name__)
            log.warning("garment stays pinned", garment=garment.garment_id, error_code=error.code)


@dataclass(frozen=True, slots=True)
class _Asked:
    request_id: str
    caller: str
    payer: str | None = None


def _job(
    engine: Engine,
    params: Given,
    picture: Picture,
    *,
    pinned: bool,
    asked: GarmentRequest | _Asked,
) -> Job:
    """What a worker is asked that is shown a garment alone; it answers without a picture."""
    return Job(
        model=engine.model,
        params={**params, "task": "garment", "pinned": pinned},
        images={"garment_image": picture.png},
        request_id=asked.request_id,
        schedule=UNHURRIED.asked_by(asked.caller) if engine.shares_steps else None,
        is_shown=False,
        payer=asked.payer,
    )
