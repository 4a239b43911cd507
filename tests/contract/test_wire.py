"""The two deployables share a wire format and no code; this holds both sides to it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.engines import load_engines
from gateway.adapters.torchserve_answers import error_of_frame, progress_of_frame
from gateway.domain.frames import MEDIA_TYPE, Frame, FrameKind, FrameReader
from gateway.domain.jobs import Progress
from gateway.domain.options import Category, plan
from gateway.errors import GatewayError
from gateway.request_ids import HEADER
from gateway.schemas import TryOnOptions
from handlers import errors, wire
from handlers.models import read_offer
from handlers.options import read_options
from handlers.request import Params

CONFIG = Path(__file__).parents[2] / "config"
ENGINE = load_engines(CONFIG)["geometric"]
OFFER = read_offer(yaml.safe_load((CONFIG / "geometric.yaml").read_text("utf-8")))
json_values = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=4)


def unpacked(raw: bytes) -> list[Frame]:
    return list(FrameReader(1 << 20).feed(raw))


@given(st.lists(st.tuples(st.just(FrameKind.IMAGE), st.binary(max_size=300))), json_values)
def test_what_a_worker_packs_the_gateway_unpacks(
    images: list[tuple[FrameKind, bytes]], metadata: dict[str, Any]
) -> None:
    raw = b"".join(wire.frame(kind.value, payload) for kind, payload in images)
    frames = unpacked(raw + wire.json_frame(b"D", metadata))
    assert [(frame.kind, frame.payload) for frame in frames[:-1]] == images
    assert (frames[-1].kind, frames[-1].json()) == (FrameKind.DONE, metadata)


def test_both_sides_name_the_stream_and_the_id_alike() -> None:
    assert wire.CONTENT_TYPE == MEDIA_TYPE
    assert wire.REQUEST_ID_HEADER.lower() == HEADER.lower()


def test_progress_reads_back() -> None:
    raw = wire.json_frame(b"P", {"stage": "pose", "step": 2, "of": 4})
    assert progress_of_frame(unpacked(raw)[0]) == Progress("pose", 2, 4)


@pytest.mark.parametrize("kind", errors.HandlerError.__subclasses__())
def test_every_worker_error_keeps_its_code(kind: type[errors.HandlerError]) -> None:
    error = kind("It cannot be done.", {"image": "person_image"})
    raised: Exception = error_of_frame(unpacked(wire.json_frame(b"E", error.as_dict()))[0])
    if kind.retryable:
        raised = raised.error  # type: ignore[attr-defined]
    assert isinstance(raised, GatewayError)
    assert (raised.code, raised.message) == (kind.code, "It cannot be done.")
    assert raised.details == {"image": "person_image"}


@given(
    st.fixed_dictionaries(
        {"category": st.sampled_from(Category)},
        optional={
            "output_format": st.sampled_from(["jpeg", "png", "webp"]),
            "width_px": st.integers(512, 2048),
            "height_px": st.integers(768, 2048),
            "seed": st.integers(0, 2**32 - 1),
            "num_samples": st.just(1),
            "auto_crop": st.just(value=False),
            "garment_description": st.text("abc ", max_size=20),
        },
    )
)
def test_whatever_the_gateway_lets_through_the_worker_accepts(options: dict[str, Any]) -> None:
    given_options = TryOnOptions.model_validate(options).given()
    params = plan(ENGINE, given_options, {"mask"}).params
    assert read_options(Params, params, OFFER).category == options["category"]
