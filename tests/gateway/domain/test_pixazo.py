import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.pixazo import NotUnderstood, Phase, Told, body, read, status_path

URL = "https://cdn.example/result.jpg"


@pytest.mark.parametrize(
    "told",
    [
        {"output": URL},
        {"output": [URL]},
        {"output": {"media_url": [URL]}},
        {"request_id": "a", "status": "COMPLETED", "output": {"media_url": URL}},
    ],
)
def test_a_picture_is_found_in_every_published_form(told: dict[str, object]) -> None:
    assert read(json.dumps(told).encode()) == Told(Phase.DONE, url=URL)


def test_what_is_queued_has_an_id() -> None:
    assert read(b'{"request_id": "r-1", "status": "QUEUED"}') == Told(Phase.PENDING, "r-1")


@pytest.mark.parametrize("status", ["FAILED", "error"])
def test_what_failed_has_failed_whatever_else_it_says(status: str) -> None:
    told = {"request_id": "r-1", "status": status, "output": URL}
    assert read(json.dumps(told).encode()).phase is Phase.FAILED


@given(st.binary(max_size=200) | st.from_type(object).map(repr).map(str.encode))
def test_anything_else_is_not_understood(content: bytes) -> None:
    try:
        told = read(content)
    except NotUnderstood:
        return
    assert told.request_id or told.url or told.phase is Phase.FAILED


def test_an_id_is_no_path() -> None:
    assert status_path("../keys?x=1") == "/v2/requests/status/..%2Fkeys%3Fx%3D1"


def test_only_what_was_asked_is_sent() -> None:
    sent = json.loads(body({"category": "upper_body", "output_format": "png"}, "p", "g"))
    assert sent == {
        "category": "upper_body",
        "human_img": "p",
        "garm_img": "g",
        "force_dc": False,
        "mask_only": False,
    }
