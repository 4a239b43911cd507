from typing import Any

import pytest

from tests.gateway import pictures
from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio


async def test_a_picture_is_kept_and_described(gateway: Gateway) -> None:
    answer = await gateway.upload(pictures.turned(6))
    assert answer.status_code == 201
    body = answer.json()
    assert (body["width_px"], body["height_px"]) == (400, 320)
    assert body["expires_at"] == "2026-09-22T14:13:20Z"


async def test_an_upload_is_gone_when_it_has_expired(gateway: Gateway) -> None:
    reference = {"upload_id": (await gateway.upload(gateway.person)).json()["upload_id"]}
    gateway.clock.time_s += 86_400
    answer = await gateway.tryon_json({"user_image": reference, "garment_image": reference})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "VAL_2006")
    assert answer.json()["details"] == {"field": "user_image"}


async def test_an_upload_is_one_file_and_nothing_else(gateway: Gateway) -> None:
    file = ("photo.jpg", gateway.person, "image/jpeg")
    note: tuple[None, bytes] = (None, b"1")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"other": file}, "other"),
        ({"file": file, "note": note}, "note"),
        ({"file": file, "file2": file}, "file2"),
    ]
    for files, named in cases:
        answer = await gateway.client.post("/api/v1/uploads", files=files)
        assert answer.status_code == 422
        assert answer.json()["details"]["fields"][0]["field"] == named
