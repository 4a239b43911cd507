"""The main job: two pictures in, one picture out."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.fallback import EngineOrder, alternatives, behind
from gateway.domain.images import Picture
from gateway.domain.jobs import Tickets
from gateway.domain.licensing import Licensing
from gateway.domain.names import Keeping
from gateway.domain.options import Engine, Given, Plan, choose, plan
from gateway.domain.sessions import Kind
from gateway.domain.uploads import ImageType
from gateway.ports.models import OnProgress
from gateway.services.catalogue import Catalogue, GarmentReference
from gateway.services.inference import Answer, InferenceService, Question
from gateway.services.pictures import PictureService, Source


@dataclass(frozen=True, slots=True)
class TryOnRequest:
    """What one call asks for; `mask` and `densepose` lie on the person's photo.

    What a garment of the catalogue knows of itself need not be given. `payer` is the id of the API
    key that is charged; `keeping` is where and until when the result is kept, if not as all are;
    `kind` says how urgent it is, where it is not the worker that knows. Who `waits` for the engine
    is not served by another while it is away. `tickets` are those of work that is begun again.
    """

    person: Source
    garment: Source | GarmentReference
    mask: Source | None
    densepose: Source | None
    engine: str | None
    given: Given
    request_id: str
    caller: str
    payer: str | None = None
    keeping: Keeping | None = None
    kind: Kind | None = None
    waits: bool = False
    tickets: Tickets | None = None

    @property
    def overlays(self) -> Mapping[str, Source]:
        """The pictures that are options of their own, by name, as far as given."""
        named = {"mask": self.mask, "densepose": self.densepose}
        return {name: source for name, source in named.items() if source is not None}


class TryOnService:
    """Checks what is asked, prepares the pictures, and has the engine dress the person."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        order: EngineOrder,
        licensing: Licensing,
        pictures: PictureService,
        catalogue: Catalogue,
        inference: InferenceService,
    ) -> None:
        self._fallback = [
            name for name in order.known(engines) if not licensing.reason(engines[name])
        ]
        self._engines = engines
        self._default_engine = order.default
        self._licensing = licensing
        self._pictures = pictures
        self._catalogue = catalogue
        self._inference = inference

    async def run(self, request: TryOnRequest, on_progress: OnProgress | None = None) -> Answer:
        """Serve one try-on, telling how it gets on; raises the GatewayErrors of its parts."""
        return await self._inference.ask(self._question(request), on_progress)

    def engine(self, name: str | None) -> Engine:
        """The engine asked for, or the default; raises InvalidInput, or NotLicensed."""
        engine = choose(self._engines, name, self._default_engine)
        self._licensing.admit(engine)
        return engine

    def instead_of(self, name: str) -> Sequence[str]:
        """Who may take an engine's place in this deployment, best first."""
        return behind(self._fallback, name)

    def alternatives(
        self, engine: Engine, given: Given, pictures: Collection[str]
    ) -> tuple[Plan, ...]:
        """What else may be done for such a request, best first."""
        return alternatives(self._engines, self._fallback, engine, given, pictures)

    async def _question(self, request: TryOnRequest) -> Question:
        engine = self.engine(request.engine)
        garment, told = await self.garment(request.garment)
        given = {**told, **request.given}
        made = plan(engine, given, request.overlays)
        return Question(
            plan=made,
            alternatives=self.alternatives(engine, given, request.overlays),
            images=await self._decoded(request, garment),
            fields={"person_image": request.person.field, "garment_image": request.garment.field},
            image_type=ImageType[str(made.params["output_format"]).upper()],
            request_id=request.request_id,
            caller=request.caller,
            payer=request.payer,
            keeping=request.keeping,
            kind=request.kind,
            waits=request.waits,
            tickets=request.tickets,
        )

    async def garment(self, source: Source | GarmentReference) -> tuple[Source | Picture, Given]:
        """The garment to decode, or its picture from the catalogue and what is known of it."""
        if not isinstance(source, GarmentReference):
            return source, {}
        found = await self._catalogue.find(source)
        return await self._catalogue.picture(source), found.worn

    async def _decoded(
        self, request: TryOnRequest, garment_source: Source | Picture
    ) -> Mapping[str, Picture]:
        person, garment = await asyncio.gather(
            self._pictures.photo(request.person), self._pictures.photo(garment_source)
        )
        images = {"person_image": person, "garment_image": garment}
        if request.mask is not None:
            images["mask"] = await self._pictures.mask(request.mask, person)
        if request.densepose is not None:
            images["densepose"] = await self._pictures.overlay(request.densepose, person)
        return images
