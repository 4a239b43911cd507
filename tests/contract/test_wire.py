"""The two deployables share a wire format and no code; this holds both sides to it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.engines import load_registry
from gateway.adapters.torchserve_answers import error_of_frame, progress_of_frame
from gateway.adapters.torchserve_stream import answer_of, prediction_of
from gateway.domain import schedule
from gateway.domain.analysis import Analysis
from gateway.domain.frames import MEDIA_TYPE, Frame, FrameKind, FrameReader
from gateway.domain.jobs import Progress
from gateway.domain.options import Engine, plan
from gateway.domain.schedule import UNHURRIED, Schedule
from gateway.errors.kinds import GatewayError
from gateway.middleware.request_ids import HEADER
from gateway.schemas.narrowing import narrowed
from gateway.schemas.requests import BodiesBody, PersonBody, PersonOptions, TryOnBody, TryOnOptions
from handlers import errors, wire
from handlers.models import read_offer
from handlers.options import read_options
from handlers.request import (
    BodiesParams,
    BodiesRequest,
    Params,
    PersonParams,
    PersonRequest,
    Request,
    TryOnRequest,
)
from handlers.schedule import Schedule as WorkerSchedule
from handlers.settings import Offer

CONFIG = Path(__file__).parents[2] / "config"
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


def test_steps_previews_and_the_outlook_read_back() -> None:
    class Sent(wire.Conversation):
        """A worker's stream, taken as it is sent."""

        def __init__(self) -> None:
            self.finished = False
            self.sent: list[bytes] = []

        def _send(self, frames: bytes) -> None:
            self.sent.append(frames)

    stream, heard = Sent(), list[Progress]()
    stream.progress("queue", 0, 4, queue_position=1, estimate_s=2.5)
    stream.progress("denoising", 1, 4)
    stream.preview(b"jpeg")
    stream.done([b"picture"], {"steps": 4})

    async def chunks() -> AsyncIterator[bytes]:
        for frames in stream.sent:
            yield frames

    answer = prediction_of(asyncio.run(answer_of(chunks(), FrameReader(1 << 20), heard.append)))
    assert answer.images == (b"picture",)
    assert heard == [
        Progress("queue", 0, 4, queue_position=1, estimate_s=2.5),
        Progress("denoising", 1, 4),
        Progress("denoising", 1, 4, preview=b"jpeg"),
    ]


def test_a_schedule_reads_back() -> None:
    told = Schedule(user="u", within_s=2.5, least_steps=4, preview_every=2).after(1)
    assert asdict(WorkerSchedule.read(told.wire())) == {**asdict(told), "kind": None}
    assert WorkerSchedule.read(UNHURRIED.wire()) == WorkerSchedule()
    assert told.after(9).within_s == pytest.approx(0.001)


@pytest.mark.parametrize("kind", errors.HandlerError.__subclasses__())
def test_every_worker_error_keeps_its_code(kind: type[errors.HandlerError]) -> None:
    error = kind("It cannot be done.", {"image": "person_image"})
    raised: Exception = error_of_frame(unpacked(wire.json_frame(b"E", error.as_dict()))[0])
    if kind.retryable:
        raised = raised.error  # type: ignore[attr-defined]
    assert isinstance(raised, GatewayError)
    assert (raised.code, raised.message) == (kind.code, "It cannot be done.")
    assert raised.details == {"image": "person_image"}


def test_both_sides_call_the_pictures_alike() -> None:
    files = {"user_image": "person_image"}
    fields_apart = {"options", "garment_id"}
    asked = {files.get(name, name) for name in TryOnBody.model_fields} - fields_apart
    assert asked == {*TryOnRequest.required, *TryOnRequest.optional}
    assert {files.get(name, name) for name in PersonBody.model_fields} - {"options"} == {
        *PersonRequest.required,
        *PersonRequest.optional,
    }


def test_both_sides_call_the_options_alike() -> None:
    asked = set(TryOnOptions.model_fields) - {"engine"} - schedule.OPTIONS
    assert asked == {field.name for field in fields(Params)}
    assert set(PersonOptions.model_fields) == {field.name for field in fields(PersonParams)}
    asked = set(BodiesBody.model_fields) - schedule.OPTIONS
    assert asked == {field.name for field in fields(BodiesParams)}


def test_named_pictures_and_joints_read_back() -> None:
    told = {
        "images": ["mask", "parse_map", "densepose"],
        "width_px": 96,
        "height_px": 120,
        "keypoint_names": ["nose", "neck"],
        "keypoints": [[1.5, 2, 0.5], None],
        "labels": {"background": 0},
        "warnings": [],
        "models": [],
    }
    raw = b"".join(wire.frame(b"I", name.encode()) for name in told["images"])  # type: ignore[attr-defined]
    answer = prediction_of(unpacked(raw + wire.json_frame(b"D", told)))
    analysis = Analysis.of(answer.metadata)
    assert analysis.by_name([image.decode() for image in answer.images])["mask"] == "mask"
    assert list(analysis.found()) == [("nose", (1.5, 2.0, 0.5))]


def shipped(service: str) -> list[tuple[Engine, Offer]]:
    """Each shipped engine as the gateway reads it, and as its worker does."""
    registry = load_registry(CONFIG)
    sections = {
        one.model: yaml.safe_load((CONFIG / f"{one.model}.yaml").read_text("utf-8"))
        for one in registry.every
    }
    return [
        (one, read_offer(sections[one.model]))
        for one in registry.every
        if service in sections[one.model]
    ]


KINDS: dict[str, type[Request]] = {
    "tryon": TryOnRequest,
    "analysis": PersonRequest,
    "bodies": BodiesRequest,
}


@pytest.mark.parametrize("service", KINDS)
def test_the_registry_names_the_pictures_that_a_model_takes(service: str) -> None:
    kind, names = KINDS[service], {"person_image": "user_image"}
    for engine, _ in shipped(service):
        taken = [*kind.required, *(name for name in kind.optional if name in engine.options)]
        assert [*engine.registration.inputs] == [names.get(name, name) for name in taken]
        assert engine.registration.version
        assert engine.registration.memory_bytes
        assert engine.registration.resolutions_px


@pytest.mark.parametrize(("engine", "offer"), [one for kind in KINDS for one in shipped(kind)])
def test_both_sides_read_the_same_offer(engine: Engine, offer: Offer) -> None:
    assert (engine.name, sorted(engine.options)) == (offer.engine, sorted(offer.options))
    assert engine.ranges == offer.ranges
    assert engine.defaults == offer.defaults
    assert engine.choices == offer.names()
    assert engine.licence == offer.licence


@pytest.mark.parametrize(("engine", "offer"), shipped("tryon"))
@given(data=st.data())
def test_whatever_the_gateway_lets_through_the_worker_accepts(
    engine: Engine, offer: Offer, data: st.DataObject
) -> None:
    options = data.draw(options_of(engine))
    given_options = TryOnOptions.model_validate(options).given()
    params = plan(engine, given_options, engine.options & {"mask", "densepose"}).params
    read = read_options(Params, params, offer)
    assert {name: getattr(read, name) for name in params} == dict(params)


@pytest.mark.parametrize(("engine", "offer"), shipped("bodies"))
@given(data=st.data())
def test_whoever_the_gateway_lets_be_drawn_the_worker_accepts(
    engine: Engine, offer: Offer, data: st.DataObject
) -> None:
    body = narrowed(BodiesBody, engine)
    names = {name: st.sampled_from(names) for name, names in engine.choices.items()}
    numbers = numbers_of(engine, BodiesParams)
    required = {name: numbers.pop(name) for name in ("height_cm", "weight_kg")}
    asked = data.draw(st.fixed_dictionaries(required, optional=numbers | names))
    params = plan(engine, body.model_validate(asked).given()).params
    read = read_options(BodiesParams, params, offer)
    assert {name: getattr(read, name) for name in params} == dict(params)


def options_of(engine: Engine) -> st.SearchStrategy[dict[str, Any]]:
    """Whatever an engine honours, and what asks for nothing."""
    every: dict[str, st.SearchStrategy[Any]] = {
        "output_format": st.sampled_from(["jpeg", "png", "webp"]),
        "num_samples": st.just(1),
        "auto_crop": st.just(value=False),
        "keep_unmasked": st.booleans(),
        "garment_description": st.text("abc ", max_size=20),
    }
    every |= numbers_of(engine, Params)
    always = {"output_format", "num_samples", "auto_crop", "garment_description"}
    optional = {name: values for name, values in every.items() if name in engine.options | always}
    return st.fixed_dictionaries(
        {"category": st.sampled_from(engine.choices["category"])}, optional=optional
    )


def numbers_of(engine: Engine, kind: type) -> dict[str, st.SearchStrategy[Any]]:
    """Numbers within the ranges of an engine, whole where a worker reads whole ones."""
    hints = get_type_hints(kind)
    return {
        name: multiples(low, high, engine.multiples.get(name, 1))
        if int in (hints[name], *get_args(hints[name]))
        else st.floats(low, high)
        for name, (low, high) in engine.ranges.items()
    }


def multiples(low: float, high: float, of: int) -> st.SearchStrategy[int]:
    """Whole numbers of a range that are multiples of one."""
    return st.integers(-int(-low // of), int(high // of)).map(lambda times: times * of)
