"""Properties 4 to 8: what is uploaded."""

import re
import string
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.domain.redaction import shows_internals
from tests.gateway import pictures
from tests.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.anyio
for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
LIMIT = 10_000
FILES = {
    "image/jpeg": pictures.jpeg((64, 80)),
    "image/png": pictures.png((64, 80)),
    "image/webp": pictures.webp((64, 80)),
}
OWN_NAME = re.compile(r"[0-9a-f]{8}-[A-Za-z0-9_-]{22}")


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that takes files of 10,000 bytes."""
    async with running_gateway(tmp_path, uploads={"max_file_bytes": LIMIT}) as gateway:
        yield gateway


async def chunks(raw: bytes, step: int) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), step):
        yield raw[start : start + step]


@pytest.mark.prop(4)
@for_all
@given(
    size=st.integers(LIMIT + 1, 4 * LIMIT),
    claimed=st.sampled_from(["nothing", "0", "17", "9999999999999"]),
    step=st.integers(100, 5000),
)
async def test_a_file_over_the_limit_is_refused_while_it_arrives(
    small: Gateway, size: int, claimed: str, step: int
) -> None:
    head = b'--e\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=e"}
    if claimed != "nothing":
        headers["Content-Length"] = claimed
    taken = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal taken
        async for chunk in chunks(head + bytes(size) + b"\r\n--e--\r\n", step):
            taken += len(chunk)
            yield chunk

    answer = await small.client.post("/api/v1/uploads", content=counted(), headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "VAL_2002")
    assert taken <= LIMIT + len(head) + step


@pytest.mark.prop(4)
@for_all
@given(size=st.integers(LIMIT + 1, 4 * LIMIT), place=st.sampled_from(["user_image", "mask"]))
async def test_a_file_over_the_limit_is_refused_within_json_as_well(
    small: Gateway, size: int, place: str
) -> None:
    photo = {"base64": b64encode(FILES["image/jpeg"]).decode()}
    large = {"base64": b64encode(FILES["image/jpeg"].ljust(size, b"\0")).decode()}
    answer = await small.tryon_json({"user_image": photo, "garment_image": photo, place: large})
    assert (answer.status_code, answer.json()["error_code"]) == (413, "VAL_2002")


@pytest.mark.prop(4)
@for_all
@given(size=st.integers(0, LIMIT))
async def test_a_file_within_the_limit_is_never_called_too_large(small: Gateway, size: int) -> None:
    answer = await small.upload(b"\xff\xd8\xff".ljust(size, b"\0")[:size] or b"x")
    assert answer.status_code == 400


@pytest.mark.prop(5)
@for_all
@given(
    media_type=st.from_regex(r"[a-z]{1,12}/[a-z0-9.+-]{1,20}", fullmatch=True)
    | st.text(string.ascii_letters + "/;= ", max_size=20),
    file=st.sampled_from(list(FILES.values())),
)
async def test_a_declared_type_outside_the_three_is_refused(
    gateway: Gateway, media_type: str, file: bytes
) -> None:
    assume(media_type.partition(";")[0].strip().lower() not in {*FILES, "image/jpg"})
    answer = await gateway.upload(("photo.jpg", file, media_type))
    assert (answer.status_code, answer.json()["error_code"]) == (415, "VAL_2003")


@pytest.mark.prop(6)
@for_all
@given(
    declared=st.sampled_from(list(FILES)),
    content=st.sampled_from(list(FILES.values())) | st.binary(max_size=300),
)
async def test_bytes_that_say_otherwise_are_refused(
    gateway: Gateway, declared: str, content: bytes
) -> None:
    assume(not content.startswith(FILES[declared][:3]))
    answer = await gateway.upload(("photo", content, declared))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VAL_2004")


hostile_names = st.text(max_size=40) | st.lists(
    st.sampled_from(["..", "/", "\\", "\x00", "etc", "CON", "%2e", "\u2215", "C:", ".jpg"]),
    max_size=8,
).map("".join)


@pytest.mark.prop(7)
@for_all
@given(name=hostile_names)
async def test_no_file_name_ever_names_anything(gateway: Gateway, name: str) -> None:
    quoted = (
        name.encode("utf-8", "replace")
        .replace(b'"', b"%22")
        .replace(b"\r", b"")
        .replace(b"\n", b"")
    )
    head = b'--e\r\nContent-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n'
    body = head + b"Content-Type: image/png\r\n\r\n" + FILES["image/png"] + b"\r\n--e--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=e"}
    answer = await gateway.client.post("/api/v1/uploads", content=body, headers=headers)
    assert answer.status_code in {201, 400}
    keys = [key async for key in gateway.resources.store.keys("")]
    assert all(OWN_NAME.fullmatch(key.removeprefix("uploads/")) for key in keys)


def broken_files() -> st.SearchStrategy[bytes]:
    def cut_or_flipped(file: bytes, edits: Iterable[tuple[int, int]], end: int) -> bytes:
        raw = bytearray(file)
        for place, value in edits:
            raw[place % len(raw)] = value
        return bytes(raw[: max(12, end % len(raw))])

    edits = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=6)
    return st.builds(
        cut_or_flipped, st.sampled_from(list(FILES.values())), edits, st.integers(0, 1 << 16)
    )


@pytest.mark.prop(8)
@for_all
@given(content=broken_files() | st.binary(max_size=200), declared=st.text(max_size=20))
async def test_no_refusal_shows_anything_internal(
    gateway: Gateway, content: bytes, declared: str
) -> None:
    safe = declared.encode("ascii", "ignore").decode().replace("\r", "").replace("\n", "")
    for media_type in ("image/jpeg", "image/png", "image/webp", safe):
        answer = await gateway.upload(("photo.jpg", content, media_type))
        if answer.is_error:
            body = answer.json()
            assert not shows_internals(body["message"])
            assert not any(shows_internals(str(value)) for value in body["details"].values())
