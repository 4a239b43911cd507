"""Reads requests, multipart or JSON, into what the services take; names what is wrong."""

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from starlette.requests import Request

from gateway.domain.identity import Caller
from gateway.domain.json_text import parse_object
from gateway.domain.uploads import Upload
from gateway.errors.kinds import InvalidInput, MalformedBody, TooLarge, TypeNotAllowed
from gateway.intake.multipart import Form, FormLimits, read_form
from gateway.responses import invalid_input
from gateway.schemas.requests import (
    BodiesBody,
    GarmentFields,
    ImageSource,
    PersonBody,
    PersonOptions,
    TryOnBody,
    TryOnFields,
    TryOnOptions,
)
from gateway.schemas.values import Said
from gateway.services.bodies import BodiesRequest
from gateway.services.catalogue import GarmentReference
from gateway.services.garments import GarmentRequest
from gateway.services.person import PersonRequest
from gateway.services.pictures import Source, UploadReference
from gateway.services.tryon import TryOnRequest
from gateway.settings.tree import UploadSettings

PERSON: Final = "user_image"
GARMENT: Final = "garment_image"
GARMENT_ID: Final = "garment_id"
MASK: Final = "mask"
DENSEPOSE: Final = "densepose"
OPTIONS: Final = "options"
UPLOAD: Final = "file"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"

Body = TypeVar("Body", bound=BaseModel)
Options = TypeVar("Options", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Sent:
    """How large a file within JSON may be, and who sends it: whose uploads it may name."""

    max_bytes: int
    keeper: str | None

    @classmethod
    def by(cls, request: Request, limits: UploadSettings) -> Self:
        """What a request may send."""
        caller: Caller = request.scope["caller"]
        return cls(limits.max_file_bytes, caller.keeper)


async def read_tryon(request: Request, limits: UploadSettings) -> TryOnRequest:
    """Read a try-on; raises the VAL errors."""
    optional = (GARMENT, MASK, DENSEPOSE)
    options: TryOnOptions
    if _essence(request) == MULTIPART:
        sources, fields = await _from_form(request, limits, TryOnFields, (PERSON,), optional)
        options, garment_id = fields, fields.garment_id
    else:
        body = await from_json(request, TryOnBody)
        options, garment_id = body.options, body.garment_id
        sources = await _sources(body, Sent.by(request, limits), PERSON, *optional)
    garment = _garment(sources, garment_id)
    if isinstance(garment, GarmentReference):
        options = options.model_copy(update=_unsaid(options))
    return TryOnRequest(
        person=sources[PERSON],
        garment=garment,
        mask=sources.get(MASK),
        densepose=sources.get(DENSEPOSE),
        engine=options.engine,
        given=options.given(),
        request_id=request.scope["request_id"],
        caller=request.scope["caller"].owner,
        payer=request.scope["caller"].key_id,
    )


async def read_garment(request: Request, limits: UploadSettings) -> GarmentRequest:
    """Read a garment for the catalogue; raises the VAL errors."""
    if _essence(request) != MULTIPART:
        raise TypeNotAllowed("Send multipart/form-data.", details={"allowed": [MULTIPART]})
    sources, told = await _from_form(request, limits, GarmentFields, (GARMENT,))
    return GarmentRequest(
        picture=sources[GARMENT],
        category=told.category,
        garment_description=told.garment_description,
        engine=told.engine,
        pinned=told.pinned,
        request_id=request.scope["request_id"],
        caller=request.scope["caller"].owner,
        payer=request.scope["caller"].key_id,
    )


async def read_person(request: Request, limits: UploadSettings) -> PersonRequest:
    """Read a photo to be analysed; raises the VAL errors."""
    if _essence(request) == MULTIPART:
        sources, options = await _from_form(request, limits, PersonOptions, (PERSON,))
    else:
        body = await from_json(request, PersonBody)
        options = body.options
        sources = await _sources(body, Sent.by(request, limits), PERSON)
    caller: Caller = request.scope["caller"]
    asked = (request.scope["request_id"], caller.owner, caller.key_id)
    return PersonRequest(sources[PERSON], options.given(), *asked)


async def read_bodies(request: Request, kind: type[BodiesBody]) -> BodiesRequest:
    """Read whom to draw, as the deployment's own schema; raises the VAL errors."""
    if _essence(request) != JSON:
        raise TypeNotAllowed("Send application/json.", details={"allowed": [JSON]})
    body = await from_json(request, kind)
    caller: Caller = request.scope["caller"]
    asked = (request.scope["request_id"], caller.owner, caller.key_id)
    return BodiesRequest(body.given(), *asked)


async def read_upload(request: Request, limits: UploadSettings) -> Upload:
    """Read a form of exactly one file; raises the VAL errors."""
    if _essence(request) != MULTIPART:
        raise TypeNotAllowed("Send multipart/form-data.", details={"allowed": [MULTIPART]})
    form = await _form(request, limits, frozenset({UPLOAD}), frozenset())
    _require(form.files, UPLOAD)
    return form.files[UPLOAD]


def _garment(sources: Mapping[str, Source], garment_id: str | None) -> Source | GarmentReference:
    """The one garment that was sent or named."""
    if (GARMENT in sources) == (garment_id is not None):
        told = "give either a photo or a garment's name"
        named = (GARMENT, GARMENT_ID) if garment_id is not None else (GARMENT,)
        raise InvalidInput.many([{"field": field, "message": told} for field in named])
    return sources[GARMENT] if garment_id is None else GarmentReference(GARMENT_ID, garment_id)


def _unsaid(options: TryOnOptions) -> dict[str, None]:
    """A garment of the catalogue knows its category: only one that was sent outranks it."""
    return {} if "category" in options.model_fields_set else {"category": None}


def _essence(request: Request) -> str:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise MalformedBody("Compressed request bodies are not accepted.")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form(
    request: Request, limits: UploadSettings, files: frozenset[str], fields: frozenset[str]
) -> Form:
    form_limits = FormLimits(files, fields, limits.max_file_bytes, limits.max_field_bytes)
    return await read_form(request.headers["content-type"], request.stream(), form_limits)


async def _from_form(
    request: Request,
    limits: UploadSettings,
    kind: type[Options],
    required: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> tuple[Mapping[str, Source], Options]:
    fields = frozenset({OPTIONS, *kind.model_fields})
    form = await _form(request, limits, frozenset({*required, *optional}), fields)
    options = _options(form, kind)
    _require(form.files, *required)
    return form.files, options


async def from_form_of_several(
    request: Request,
    limits: UploadSettings,
    kind: type[Options],
    required: str,
    several: Mapping[str, int],
) -> tuple[Form, Options]:
    """A form of one file, and of several under other names; raises the VAL errors."""
    files, fields = frozenset({required}), frozenset({OPTIONS, *kind.model_fields})
    sizes = (limits.max_file_bytes, limits.max_field_bytes)
    form_limits = FormLimits(files, fields, *sizes, several)
    form = await read_form(request.headers["content-type"], request.stream(), form_limits)
    options = _options(form, kind)
    _require(form.files, required)
    return form, options


def is_form(request: Request) -> bool:
    """Whether the body is a form; raises MalformedBody for one that is compressed."""
    return _essence(request) == MULTIPART


def _options(form: Form, kind: type[Options]) -> Options:
    """The options of a form: fields of their own, or JSON in one part."""
    fields: dict[str, JsonValue] = {name: Said(text) for name, text in form.fields.items()}
    options: dict[str, JsonValue] = {}
    if OPTIONS in form.fields:
        del fields[OPTIONS]
        options = parse_object(form.fields[OPTIONS].encode(), OPTIONS)
    if twice := sorted(fields.keys() & options.keys()):
        raise InvalidInput.many([{"field": name, "message": "is given twice"} for name in twice])
    try:
        return kind.model_validate(options | fields)
    except ValidationError as error:
        raise invalid_input(error) from None


async def from_json(request: Request, kind: type[Body]) -> Body:
    """A JSON body, checked; raises the VAL errors."""
    if _essence(request) != JSON:
        raise TypeNotAllowed(
            "Send multipart/form-data or application/json.", details={"allowed": [MULTIPART, JSON]}
        )
    body = await request.body()
    try:
        return kind.model_validate(await asyncio.to_thread(parse_object, body))
    except ValidationError as error:
        raise invalid_input(error) from None


async def _sources(body: TryOnBody | PersonBody, sent: Sent, *names: str) -> Mapping[str, Source]:
    """The pictures of a JSON body, decoded beside the event loop."""
    given = {name: source for name in names if (source := getattr(body, name)) is not None}
    return {
        name: await asyncio.to_thread(source_of, name, source, sent)
        for name, source in given.items()
    }


def source_of(field: str, source: ImageSource, sent: Sent) -> Source:
    """A picture within JSON, decoded; raises TooLarge or InvalidInput."""
    if source.base64 is None:
        return UploadReference(field, source.upload_id or "", sent.keeper)
    max_bytes = sent.max_bytes
    head, is_data_url, tail = source.base64.partition(";base64,")
    encoded = tail if is_data_url else head
    declared = head.removeprefix("data:") if is_data_url else None
    if len(encoded) * 3 // 4 > max_bytes + 2:
        raise TooLarge(details={"field": field, "max_bytes": max_bytes})
    try:
        content = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput.of(f"{field}.base64", "is not valid base64") from None
    if len(content) > max_bytes:
        raise TooLarge(details={"field": field, "max_bytes": max_bytes})
    return Upload(field, content, declared if source.media_type is None else source.media_type)


def _require(files: Mapping[str, Upload], *names: str) -> None:
    missing = [name for name in names if name not in files]
    if missing:
        faults = [{"field": name, "message": "a file is required"} for name in missing]
        raise InvalidInput.many(faults)
