from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors.kinds import GatewayError, InvalidInput, MalformedBody, TooLarge
from gateway.intake.multipart import Form, FormLimits, read_form

pytestmark = pytest.mark.anyio
LIMITS = FormLimits(
    files=frozenset({"file"}),
    fields=frozenset({"category", "seed"}),
    max_file_bytes=1000,
    max_field_bytes=100,
)
TYPE = "multipart/form-data; boundary=edge"


def part(name: str, content: bytes, extra: str = "", headers: str = "") -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n{headers}\r\n'
    return head.encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--edge--\r\n"


async def read(raw: bytes, step: int = 64, content_type: str = TYPE) -> Form:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), step):
            yield raw[start : start + step]

    return await read_form(content_type, chunks(), LIMITS)


PHOTO = part("file", b"\xff\xd8photo", '; filename="me.jpg"', "Content-Type: image/jpeg\r\n")


async def test_fields_and_files_arrive_by_name() -> None:
    form = await read(body(part("category", "été".encode()), PHOTO))
    assert form.fields == {"category": "été"}
    upload = form.files["file"]
    assert (upload.content, upload.media_type) == (b"\xff\xd8photo", "image/jpeg")
    assert upload.file_name == "me.jpg"


@given(st.integers(1, 200))
async def test_any_split_gives_the_same_form(step: int) -> None:
    raw = body(PHOTO, part("seed", b"7"))
    assert await read(raw, step) == await read(raw, len(raw))


async def test_a_part_is_a_file_by_its_name_alone() -> None:
    form = await read(body(part("file", b"x"), part("seed", b"7", '; filename="seed.txt"')))
    assert form.files["file"].media_type == "text/plain"
    assert form.fields == {"seed": "7"}


@given(st.binary(max_size=1000))
async def test_a_file_keeps_every_byte(content: bytes) -> None:
    if b"\r\n--edge" not in content:
        form = await read(body(part("file", content)))
        assert form.files["file"].content == content


@pytest.mark.parametrize(("name", "size", "limit"), [("file", 1001, 1000), ("seed", 101, 100)])
async def test_a_part_over_its_limit_is_named(name: str, size: int, limit: int) -> None:
    with pytest.raises(TooLarge) as caught:
        await read(body(part(name, b"x" * size)))
    assert caught.value.details == {"field": name, "max_bytes": limit}


async def test_a_file_over_its_limit_ends_the_request_while_it_arrives() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield PHOTO[:-2]
        while True:
            sent += 100
            yield b"x" * 100

    with pytest.raises(TooLarge):
        await read_form(TYPE, endless(), LIMITS)
    assert sent <= 1100


async def test_exactly_the_limit_is_fine() -> None:
    form = await read(body(part("file", b"x" * 1000)))
    assert len(form.files["file"].content) == 1000


@pytest.mark.parametrize("twice", [PHOTO, part("seed", b"1")])
async def test_a_part_given_twice_is_refused(twice: bytes) -> None:
    with pytest.raises(InvalidInput):
        await read(body(twice, twice))


async def test_an_unknown_part_is_refused_before_it_arrives() -> None:
    with pytest.raises(InvalidInput) as caught:
        await read(part("nope", b"x" * 5000))
    fields = [{"field": "nope", "message": "there is no such field"}]
    assert caught.value.details == {"fields": fields}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no multipart at all",
        body(PHOTO)[:-8],
        PHOTO,
        b"--edge\r\nContent-Type: text/plain\r\n\r\nx\r\n--edge--\r\n",
        b'--edge\r\nContent-Disposition: form-data; name=""\r\n\r\nx\r\n--edge--\r\n',
        body(part("seed", b"1", headers="X: " + "y" * 1_000_000 + "\r\n")),
        body(part("seed", b"\xff\xfe")),
        b"--edge\r\nContent-Disposition form-data\r\n\r\n",
    ],
    ids=["empty", "text", "no end", "cut", "no name", "empty name", "header", "latin", "colon"],
)
async def test_a_broken_form_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedBody):
        await read(raw)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
async def test_a_missing_boundary_is_malformed(content_type: str) -> None:
    with pytest.raises(MalformedBody):
        await read(body(PHOTO), content_type=content_type)


@given(st.binary(max_size=400))
async def test_garbage_is_refused_and_never_crashes(raw: bytes) -> None:
    try:
        await read(b"--edge\r\n" + raw)
    except GatewayError:
        return
