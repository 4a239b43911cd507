"""Reads a multipart form as it streams: no temporary file, every limit enforced while it arrives.

What a part is follows from its name alone. A file's size is counted while it arrives, so the part
that goes over the limit ends the request then and there.
"""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.domain.uploads import Upload
from gateway.errors.kinds import InvalidInput, MalformedBody, TooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_HEADER_BYTES: Final = 8192
_DISPOSITION: Final = b"content-disposition"
_TYPE: Final = b"content-type"
_TEXT_PLAIN: Final = "text/plain"


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What a form may hold: the names of its files and of its text fields, and their sizes.

    `several` are names that so many files at most may share.
    """

    files: frozenset[str]
    fields: frozenset[str]
    max_file_bytes: int
    max_field_bytes: int
    several: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """A form that has arrived: text fields and files, each name once, but for the `several`."""

    fields: dict[str, str]
    files: dict[str, Upload]
    several: dict[str, list[Upload]] = field(default_factory=dict)


@dataclass(slots=True)
class _Part:
    header_name: bytearray = field(default_factory=bytearray)
    header_value: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)


async def read_form(content_type: str, body: AsyncIterable[bytes], limits: FormLimits) -> Form:
    """Read a multipart/form-data body.

    Raises MalformedBody, TooLarge (naming the part), or InvalidInput (a part unknown or twice).
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise MalformedBody(details={"reason": "the multipart boundary is missing"})
    collector = _Collector(limits)
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        async for chunk in body:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise MalformedBody(details={"reason": "not valid multipart"}) from error
    return collector.form()


class _Collector:
    """Receives the parser's events and builds the form."""

    def __init__(self, limits: FormLimits) -> None:
        self._limits = limits
        self._form = Form({}, {})
        self._part = _Part()
        self._is_file = False
        self._is_complete = False

    def callbacks(self) -> "MultipartCallbacks":
        """The events this collector listens to, by the parser's names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def form(self) -> Form:
        """The form; raises MalformedBody when its end never came."""
        if not self._is_complete:
            raise MalformedBody(details={"reason": "the form is cut off"})
        return self._form

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]
        self._check_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._part.header_name) + len(self._part.header_value) > _MAX_HEADER_BYTES:
            raise MalformedBody(details={"reason": "a part's header is too long"})

    def _header_end(self) -> None:
        part = self._part
        part.headers[bytes(part.header_name).lower()] = bytes(part.header_value)
        part.header_name.clear()
        part.header_value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(_DISPOSITION, b""))
        if not options.get(b"name"):
            raise MalformedBody(details={"reason": "a part has no name"})
        self._part.name = _text(options[b"name"], "a part's name")
        if b"filename" in options:
            self._part.file_name = options[b"filename"].decode("utf-8", "replace")
        self._check_name(self._part.name)
        self._is_file = self._part.name in {*self._limits.files, *self._limits.several}

    def _check_name(self, name: str) -> None:
        """Refuse a name that is not known, or has come too often."""
        form, most = self._form, self._limits.several.get(name)
        if most is not None:
            if len(form.several.get(name, ())) >= most:
                raise InvalidInput.of(name, "is given too often", most=most)
        elif name not in self._limits.files | self._limits.fields:
            raise InvalidInput.of(name, "there is no such field")
        elif name in form.fields or name in form.files:
            raise InvalidInput.of(name, "is given twice")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        limit = self._limits.max_file_bytes if self._is_file else self._limits.max_field_bytes
        if len(part.content) + end - start > limit:
            raise TooLarge(details={"field": part.name, "max_bytes": limit})
        part.content += data[start:end]

    def _end(self) -> None:
        part = self._part
        if not self._is_file:
            self._form.fields[part.name] = _text(part.content, part.name)
            return
        media_type = part.headers.get(_TYPE, b"").decode("latin-1") or _TEXT_PLAIN
        upload = Upload(part.name, bytes(part.content), media_type, part.file_name)
        if part.name in self._limits.several:
            self._form.several.setdefault(part.name, []).append(upload)
        else:
            self._form.files[part.name] = upload

    def _complete(self) -> None:
        self._is_complete = True


def _text(raw: bytes | bytearray, what: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedBody(details={"reason": f"{what} is not UTF-8"}) from None
