"""What a session is made of: checked, decoded and stored before anybody is told it is accepted."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from pydantic import JsonValue

from gateway.domain.images import Picture
from gateway.domain.jobs import Readiness
from gateway.domain.names import Keeping
from gateway.domain.options import Engine, Given, plan
from gateway.domain.sessions import Ask, Draft, Kind
from gateway.domain.uploads import Upload
from gateway.domain.webhooks import Endpoint
from gateway.errors.kinds import InvalidInput, NotDeployed
from gateway.ports.clock import Clock
from gateway.ports.models import Models
from gateway.services.catalogue import GarmentReference
from gateway.services.pictures import PictureService, Source, UploadReference
from gateway.services.tryon import TryOnService

PERSON: Final = "user_image"
GARMENT: Final = "garment_image"
MASK: Final = "mask"
DENSEPOSE: Final = "densepose"
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Wearer:
    """Somebody to dress; `mask` and `densepose` lie on the photo."""

    photo: Source
    mask: Source | None = None
    densepose: Source | None = None

    @property
    def overlays(self) -> Mapping[str, Source]:
        """What lies on the photo, by name, as far as given."""
        named = {MASK: self.mask, DENSEPOSE: self.densepose}
        return {name: source for name, source in named.items() if source is not None}


@dataclass(frozen=True, slots=True)
class Worn:
    """A garment, and the options that are its own."""

    photo: Source | GarmentReference
    given: Given


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What one call asks for: every wearer in every garment.

    `key` is the caller's Idempotency-Key; `kind` None follows from what is asked for.
    `webhook` is to be told of the session. `most_open` of the owner's may be open with it. `payer`
    is the id of the API key that is charged for it. `keep_s` is for how many seconds it is kept, or
    None for as long as the deployment has it.
    """

    owner: str
    wearers: tuple[Wearer, ...]
    garments: tuple[Worn, ...]
    engine: str | None
    given: Given
    request_id: str
    kind: Kind | None = None
    key: str | None = None
    cancel_after_s: float | None = None
    webhook: Endpoint | None = None
    most_open: int | None = None
    payer: str | None = None
    keep_s: float | None = None

    def digest(self) -> str:
        """The same for the same request, however it was encoded; hexadecimal."""
        said = {
            "wearers": [_digests(PERSON, one.photo) | _overlays(one) for one in self.wearers],
            "garments": [
                _digests(GARMENT, one.photo) | {"given": dict(one.given)} for one in self.garments
            ],
            "engine": self.engine,
            "given": dict(self.given),
            "kind": self.kind,
            "cancel_after_s": self.cancel_after_s,
            "keep_s": self.keep_s,
            "webhook": self.webhook and [self.webhook.url, *self.webhook.kinds],
        }
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class DraftRules:
    """How long a session is kept, in seconds, unless its owner chose; of how many items at most."""

    retention_s: float
    max_items: int


class SessionDrafts:
    """Makes drafts of sessions whose pictures are in the store."""

    def __init__(
        self,
        tryon: TryOnService,
        pictures: PictureService,
        models: Models,
        clock: Clock,
        randomness: Callable[[int], bytes],
        rules: DraftRules,
    ) -> None:
        self._tryon = tryon
        self._pictures = pictures
        self._models = models
        self._clock = clock
        self._randomness = randomness
        self._rules = rules

    async def make(self, request: SessionRequest) -> Draft:
        """Check what is asked, and store its pictures; raises what its parts do."""
        items = len(request.wearers) * len(request.garments)
        if items > self._rules.max_items:
            message = f"makes {items} items, at most {self._rules.max_items} are taken"
            raise InvalidInput.of("garments", message)
        garments = [await self._tryon.garment(one.photo) for one in request.garments]
        wishes = [
            {**told, **request.given, **one.given}
            for (_, told), one in zip(garments, request.garments, strict=True)
        ]
        engine = self._engine(request, wishes)
        others = self._others(engine, request, wishes)
        now, session_id = self._clock.now(), self._randomness(_ID_BYTES).hex()
        kept = Keeping(now + (request.keep_s or self._rules.retention_s), session_id)
        stored = await self._stored(request.wearers, [photo for photo, _ in garments], kept)
        people = len(request.wearers)
        asks = tuple(
            Ask({**person, **garment}, wishes[j], i, j, others[i, j])
            for i, person in enumerate(stored[:people])
            for j, garment in enumerate(stored[people:])
        )
        after_s, webhook = request.cancel_after_s, request.webhook
        return Draft(
            session_id=session_id,
            owner=request.owner,
            kind=request.kind or _kind(engine, wishes, items),
            engine=engine.name,
            asks=asks,
            request_id=request.request_id,
            created_at=now,
            expires_at=kept.expires_at,
            cancel_at=None if after_s is None else now + after_s,
            webhook=webhook and replace(webhook, session_id=session_id),
            most_open=request.most_open,
            payer=request.payer,
        )

    async def discard(self, draft: Draft) -> None:
        """Erase the pictures of a draft of which no session is made."""
        await self._pictures.discard(draft.session_id)

    def _engine(self, request: SessionRequest, wishes: Sequence[Given]) -> Engine:
        """The engine, which can honour every item; raises InvalidInput."""
        engine = self._tryon.engine(request.engine)
        for wish in wishes:
            for wearer in request.wearers:
                plan(engine, wish, wearer.overlays)
        return engine

    def _others(
        self, engine: Engine, request: SessionRequest, wishes: Sequence[Given]
    ) -> Mapping[tuple[int, int], tuple[str, ...]]:
        """Who may take the engine's place, by wearer and garment; raises NotDeployed."""
        found = {}
        for i, wearer in enumerate(request.wearers):
            for j, wish in enumerate(wishes):
                plans = self._tryon.alternatives(engine, wish, wearer.overlays)
                if not any(map(self._is_deployed, (engine, *(one.engine for one in plans)))):
                    raise NotDeployed
                found[i, j] = tuple(one.engine.name for one in plans)
        return found

    def _is_deployed(self, engine: Engine) -> bool:
        return self._models.state(engine.model).readiness is not Readiness.MISSING

    async def _stored(
        self, wearers: Sequence[Wearer], garments: Sequence[Source | Picture], kept: Keeping
    ) -> Sequence[Mapping[str, str]]:
        """The names of all their pictures, each by its field; all of them are stored, or none."""
        storing = asyncio.gather(
            *(self._wearer(one, kept) for one in wearers),
            *(self._garment(one, kept) for one in garments),
            return_exceptions=True,
        )
        try:
            return _unless_failed(await storing)
        except BaseException:
            await self._pictures.discard(kept.place)
            raise

    async def _wearer(self, wearer: Wearer, kept: Keeping) -> Mapping[str, str]:
        pictures = self._pictures
        photo, name = await pictures.take(wearer.photo, kept)
        named = {PERSON: str(name)}
        if wearer.mask is not None:
            mask = await pictures.mask(wearer.mask, photo)
            named[MASK] = str(await pictures.put(mask, kept))
        if wearer.densepose is not None:
            overlay = await pictures.overlay(wearer.densepose, photo)
            named[DENSEPOSE] = str(await pictures.put(overlay, kept))
        return named

    async def _garment(self, source: Source | Picture, kept: Keeping) -> Mapping[str, str]:
        _, name = await self._pictures.take(source, kept)
        return {GARMENT: str(name)}


def _kind(engine: Engine, wishes: Sequence[Given], items: int) -> Kind:
    """A preview is asked for by how little work it is, so that nobody gains by calling it one."""
    if items > 1:
        return Kind.BATCH
    return Kind.PREVIEW if engine.is_preview(wishes[0]) else Kind.STANDARD


def _unless_failed(
    done: Sequence[Mapping[str, str] | BaseException],
) -> Sequence[Mapping[str, str]]:
    """What all have made; raises what the first raised that failed."""
    for failed in (one for one in done if isinstance(one, BaseException)):
        raise failed
    return [one for one in done if not isinstance(one, BaseException)]


def _overlays(wearer: Wearer) -> dict[str, JsonValue]:
    digests = (_digests(name, source) for name, source in wearer.overlays.items())
    return {name: value for one in digests for name, value in one.items()}


def _digests(name: str, source: Source | GarmentReference) -> dict[str, JsonValue]:
    match source:
        case Upload():
            return {name: sha256(source.content).hexdigest()}
        case GarmentReference():
            return {name: f"garment {source.garment_id}"}
        case UploadReference():
            return {name: f"upload {source.upload_id}"}
    return {name: f"stored {source.name}"}
