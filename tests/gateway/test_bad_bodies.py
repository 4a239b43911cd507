"""Bodies as strangers send them, to every route that reads one: refused in one shape, no 500."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.domain.redaction import shows_internals
from gateway.settings.tree import Settings
from tests.gateway import pictures
from tests.gateway.live import MINE
from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio
JSON = "application/json"
FORM = "multipart/form-data"
DOCUMENT = create_app(Settings()).openapi()
ENTRY = b'{"user_image": {"upload_id": "x"}}'
BAD_JSON = {
    "nothing": b"",
    "half": ENTRY[:-2],
    "depth": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "lists": b'{"a":' + b"[" * 10_000,
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": 1e999}',
    "digits": b'{"a": ' + b"9" * 10_000 + b"}",
    "twice": b'{"a": 1, "a": 2}',
    "half a character": b'{"a": "\\ud800"}',
    "half a name": b'{"\\udfff": 1}',
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-8 with a mark": b"\xef\xbb\xbf{}x",
    "overlong": b'{"a": "\xc0\xaf"}',
    "NUL": b'{"a": 1}\x00',
    "two": b"{} {}",
    "comment": b"{} // x",
    "list": b"[]",
    "text": b'"text"',
    "null": b"null",
    "number": b"7",
}
PHOTO = pictures.jpeg((64, 80))
HEAD = (
    b'Content-Disposition: form-data; name="%s"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n'
)


def part(name: bytes, content: bytes = b"x", more: bytes = b"") -> bytes:
    return b"--e\r\n" + HEAD % name + more + b"\r\n" + content + b"\r\n"


END = b"--e--\r\n"
BAD_FORMS = {
    "nothing": b"",
    "end alone": END,
    "text": b"hello",
    "JSON": ENTRY,
    "no end": part(b"file", PHOTO),
    "half an end": part(b"file", PHOTO) + b"--e-",
    "line feeds alone": (part(b"file", PHOTO) + END).replace(b"\r\n", b"\n"),
    "another edge": (part(b"file") + END).replace(b"--e", b"--f"),
    "10,000 unknown parts": part(b"nope") * 10_000 + END,
    "10,000 equal parts": part(b"user_image") * 10_000 + END,
    "10,000 parts without name": b"--e\r\n\r\nx\r\n" * 10_000 + END,
    "10,000 headers": part(b"file", more=b"X-A: b\r\n" * 10_000) + END,
    "a header of 1 MB": part(b"file", more=b"X-A: " + b"b" * (1 << 20) + b"\r\n") + END,
    "a name of 1 MB": part(b"f" * (1 << 20)) + END,
    "a form in a form": part(b"file", more=b"Content-Type: multipart/mixed; boundary=x\r\n") + END,
    "a name of bytes": part(b"\xff\xfe") + END,
    "a name with NUL": part(b"fi\0le") + END,
    "a header with NUL": part(b"file", more=b"X\0A: b\r\n") + END,
    "a preamble of 1 MB": b"x" * (1 << 20) + part(b"file", PHOTO) + END,
    "random": bytes(range(256)) * 64,
}
BAD_BOUNDARIES = ["", '""', "e" * 1000, "\x7f", 'e"', "e; boundary=f"]


def operations(media_type: str) -> Iterator[tuple[str, str]]:
    """Each operation that reads such a body: its method, and its path with something in it."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if media_type in operation.get("requestBody", {}).get("content", {}):
                yield method.upper(), path.replace("{", "").replace("}", "")


async def sent(gateway: Gateway, content_type: str, content: Any, **headers: str) -> Any:  # noqa: ANN401
    media_type = content_type.partition(";")[0]
    for method, path in operations(media_type):
        answer = await gateway.client.request(
            method, path, content=content, headers={"Content-Type": content_type, **MINE, **headers}
        )
        yield f"{method} {path}", answer


def check_refused(name: str, answer: httpx.Response) -> None:
    """A refusal has the one shape, and shows nothing of the inside."""
    body = answer.json()
    is_closed = body.get("details") == {"reason": "not_configured"}
    assert 400 <= answer.status_code < 500 or is_closed, f"{name}: {answer.status_code} {body}"
    assert set(body) == {"error_code", "message", "details", "request_id"}, name
    assert not shows_internals(body["message"]), name
    assert not any(shows_internals(value) for value in strings(body["details"])), name
    assert len(answer.content) < 4096, name


def strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever JSON holds
    """Every string within."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def test_there_are_routes_to_try() -> None:
    assert len(list(operations(JSON))) > 5
    assert len(list(operations(FORM))) > 3


@pytest.mark.prop(8)
async def test_json_that_the_standard_leaves_open_is_refused_everywhere(gateway: Gateway) -> None:
    for name, body in BAD_JSON.items():
        async for route, answer in sent(gateway, JSON, body):
            if name != "nothing" or answer.is_error:  # some bodies may be left out
                check_refused(f"{name}: {route}", answer)


@pytest.mark.prop(8)
async def test_a_form_that_is_none_is_refused_everywhere(gateway: Gateway) -> None:
    for name, body in BAD_FORMS.items():
        async for route, answer in sent(gateway, f"{FORM}; boundary=e", body):
            check_refused(f"{name}: {route}", answer)


async def test_a_boundary_that_is_none_is_refused_everywhere(gateway: Gateway) -> None:
    for boundary in BAD_BOUNDARIES:
        content_type = f"{FORM}; boundary={boundary}"
        async for route, answer in sent(gateway, content_type, part(b"file", PHOTO) + END):
            check_refused(f"{boundary!r}: {route}", answer)


async def test_a_packed_body_is_refused_before_it_is_unpacked(gateway: Gateway) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    for coding in ("gzip", "br", "zstd", "deflate", "gzip, gzip", "x"):
        headers = {"Content-Encoding": coding}
        for content_type in (JSON, f"{FORM}; boundary=e"):
            async for route, answer in sent(gateway, content_type, bomb, **headers):
                check_refused(f"{coding}: {route}", answer)


async def test_10_000_parts_are_refused_at_the_first_of_them(gateway: Gateway) -> None:
    taken = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(10_000):
            taken += 1
            yield part(b"nope")
        yield END

    headers = {"Content-Type": f"{FORM}; boundary=e"}
    answer = await gateway.client.post("/api/v1/uploads", content=parts(), headers=headers)
    check_refused("uploads", answer)
    assert taken <= 2


HOSTILE = [
    b"form-data; name=file; filename*=UTF-8''..%2f..%2fetc%2fpasswd",
    b"form-data; name=file; filename*=UTF-8'en'%00",
    b"form-data; name=file; filename*=bogus''x",
    b'form-data; name="file"; filename="a.jpg"; filename="../b.jpg"',
    b'form-data; name="file"; filename="' + b"a" * 4096 + b'.jpg"',
    b'form-data; name="file"; filename="CON"',
    b'form-data; name="file"; filename="photo.jpg."',
    b'form-data; name="file"; filename="\xe2\x80\xaegpj.exe"',
    b'form-data; name="file"; filename="C:\\\\windows\\\\x.jpg"',
    b'form-data; name="file"; filename="/etc/passwd"',
    b'form-data; name="file"; filename="%2e%2e%2f%2e%2e"',
    b'attachment; name="file"; filename="a.jpg"',
]


@pytest.mark.prop(7)
async def test_a_hostile_name_is_no_more_than_a_name(gateway: Gateway) -> None:
    for disposition in HOSTILE:
        await check_name(gateway, disposition)
    keys = [key async for key in gateway.resources.store.keys("")]
    assert keys
    assert all(key.startswith("uploads/") and ".." not in key for key in keys)


async def check_name(gateway: Gateway, disposition: bytes) -> None:
    head = b"--e\r\nContent-Disposition: " + disposition
    body = head + b"\r\nContent-Type: image/jpeg\r\n\r\n" + PHOTO + b"\r\n" + END
    headers = {"Content-Type": f"{FORM}; boundary=e"}
    answer = await gateway.client.post("/api/v1/uploads", content=body, headers=headers)
    if answer.status_code != 201:
        check_refused("uploads", answer)
    told = json.dumps(dict(answer.headers)) + answer.text
    assert not any(part in told for part in ("..", "etc", "passwd", "windows", ".exe", "%2e"))


async def test_a_type_is_the_same_however_it_is_written(gateway: Gateway) -> None:
    written = (
        "image/jpeg; charset=utf-8",
        "IMAGE/JPEG",
        " image/jpeg ",
        "image/jpeg;",
        "image/jpg",
    )
    for declared in written:
        assert (await gateway.upload(("a.jpg", PHOTO, declared))).status_code == 201


STRANGERS = {
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "HTML": b"<html><script>alert(1)</script>",
    "PHP": b"<?php system($_GET[0]); ?>",
    "PDF": b"%PDF-1.7\n" + bytes(200),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "GIF with a script": b"GIF89a/*" + b"<script>alert(1)</script>",
    "MP4": b"\0\0\0\x18ftypmp42" + bytes(100),
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(100),
    "AVIF": b"\0\0\0\x18ftypavif" + bytes(100),
    "TIFF": pictures.encoded(pictures.drawn(), "TIFF"),
    "BMP": pictures.encoded(pictures.drawn(), "BMP"),
    "ICO": pictures.encoded(pictures.drawn((64, 64)), "ICO"),
    "animated GIF": pictures.animated("GIF"),
    "zero bytes": b"",
    "one byte": b"\xff",
}


@pytest.mark.prop(6)
async def test_a_file_of_another_kind_is_refused_whatever_it_is_called(gateway: Gateway) -> None:
    for name, file in STRANGERS.items():
        for declared in ("image/jpeg", "image/png", "image/webp"):
            check_refused(name, await gateway.upload(("photo.jpg", file, declared)))
    assert [key async for key in gateway.resources.store.keys("")] == []


@pytest.mark.prop(4)
async def test_ten_megabytes_are_accepted_and_one_byte_more_is_not(gateway: Gateway) -> None:
    limit = gateway.resources.settings.uploads.max_file_bytes
    assert limit == 10 << 20
    for size, status in ((limit - 1, 201), (limit, 201), (limit + 1, 413)):
        assert (await gateway.upload(PHOTO.ljust(size, b"\0"))).status_code == status


async def test_what_is_two_kinds_at_once_is_kept_as_one(gateway: Gateway) -> None:
    script = b"<script>alert(1)</script>"
    for hidden in (b"PK\x03\x04" + script, b"<?php system($_GET[0]);?>", script):
        answer = await gateway.upload(pictures.jpeg((64, 80), comment=script) + hidden)
        assert answer.status_code == 201
    for key in [key async for key in gateway.resources.store.keys("")]:
        kept = await gateway.resources.store.get(key) or b""
        assert not any(text in kept for text in (script, b"<?php", b"PK\x03\x04"))
