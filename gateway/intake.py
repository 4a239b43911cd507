"""Reads a try-on request, multipart or JSON, into what the service takes; names what is wrong."""

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue, ValidationError
from starlette.requests import Request

from gateway.domain.json_text import parse_object
from gateway.domain.uploads import Upload
from gateway.errors import InvalidInput, MalformedBody, TooLarge, TypeNotAllowed
from gateway.multipart import Form, FormLimits, read_form
from gateway.responses import invalid_input
from gateway.schemas import ImageSource, TryOnBody, TryOnOptions
from gateway.services.pictures import Source, UploadReference
from gateway.services.tryon import TryOnRequest
from gateway.settings import UploadSettings

PERSON: Final = "user_image"
GARMENT: Final = "garment_image"
MASK: Final = "mask"
OPTIONS: Final = "options"
UPLOAD: Final = "file"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"
_TRYON_FILES: Final = frozenset({PERSON, GARMENT, MASK})
_TRYON_FIELDS: Final = frozenset({OPTIONS, *TryOnOptions.model_fields})


async def read_tryon(request: Request, limits: UploadSettings) -> TryOnRequest:
    """Read a try-on; raises the VAL errors."""
    match _essence(request):
        case "multipart/form-data":
            form = await _form(request, limits, _TRYON_FILES, _TRYON_FIELDS)
            return _from_form(form, request.scope["request_id"])
        case "application/json":
            body = await request.body()
            return await asyncio.to_thread(_from_json, body, request.scope["request_id"], limits)
    raise TypeNotAllowed(
        "Send multipart/form-data or application/json.", details={"allowed": [MULTIPART, JSON]}
    )


async def read_upload(request: Request, limits: UploadSettings) -> Upload:
    """Read a form of exactly one file; raises the VAL errors."""
    if _essence(request) != MULTIPART:
        raise TypeNotAllowed("Send multipart/form-data.", details={"allowed": [MULTIPART]})
    form = await _form(request, limits, frozenset({UPLOAD}), frozenset())
    _require(form.files, UPLOAD)
    return form.files[UPLOAD]


def _essence(request: Request) -> str:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise MalformedBody("Compressed request bodies are not accepted.")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form(
    request: Request, limits: UploadSettings, files: frozenset[str], fields: frozenset[str]
) -> Form:
    form_limits = FormLimits(files, fields, limits.max_file_bytes, limits.max_field_bytes)
    return await read_form(request.headers["content-type"], request.stream(), form_limits)


def _from_form(form: Form, request_id: str) -> TryOnRequest:
    fields: dict[str, JsonValue] = dict(form.fields)
    options: dict[str, JsonValue] = {}
    if OPTIONS in form.fields:
        del fields[OPTIONS]
        options = parse_object(form.fields[OPTIONS].encode(), OPTIONS)
    if twice := sorted(fields.keys() & options.keys()):
        raise InvalidInput.many([{"field": name, "message": "is given twice"} for name in twice])
    try:
        checked = TryOnOptions.model_validate(options | fields)
    except ValidationError as error:
        raise invalid_input(error) from None
    _require(form.files, PERSON, GARMENT)
    mask = form.files.get(MASK)
    return _request(form.files[PERSON], form.files[GARMENT], mask, checked, request_id)


def _from_json(body: bytes, request_id: str, limits: UploadSettings) -> TryOnRequest:
    try:
        checked = TryOnBody.model_validate(parse_object(body))
    except ValidationError as error:
        raise invalid_input(error) from None
    person = _source(PERSON, checked.user_image, limits.max_file_bytes)
    garment = _source(GARMENT, checked.garment_image, limits.max_file_bytes)
    mask = _source(MASK, checked.mask, limits.max_file_bytes) if checked.mask else None
    return _request(person, garment, mask, checked.options, request_id)


def _request(
    person: Source, garment: Source, mask: Source | None, options: TryOnOptions, request_id: str
) -> TryOnRequest:
    return TryOnRequest(person, garment, mask, options.engine, options.given(), request_id)


def _source(field: str, source: ImageSource, max_bytes: int) -> Source:
    if source.base64 is None:
        return UploadReference(field, source.upload_id or "")
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
    return Upload(field, content, source.media_type or declared)


def _require(files: Mapping[str, Upload], *names: str) -> None:
    missing = [name for name in names if name not in files]
    if missing:
        faults = [{"field": name, "message": "a file is required"} for name in missing]
        raise InvalidInput.many(faults)
