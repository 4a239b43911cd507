import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.base import ImageHandler, Outcome
from handlers.errors import Unfit
from handlers.request import PersonRequest, TryOnRequest
from handlers.stages import Stages
from tests.handlers.torchserve_rows import FrontEnd, config, context

PARAMS = {"category": "upper_body", "output_format": "png"}
KINDS = (
    *("good", "unfit", "broken", "memory"),
    *("undecodable", "unknown_field", "unoffered_part", "no_params"),
)
CODES = {
    "unfit": "ML_4005",
    "broken": "ML_4002",
    "memory": "ML_4003",
    "undecodable": "VAL_2001",
    "unknown_field": "VAL_2001",
    "unoffered_part": "VAL_2001",
    "no_params": "VAL_2001",
}


class Mirror(ImageHandler[TryOnRequest]):
    """Answers with the photo it got, or breaks in the way the photo says."""

    request_type = TryOnRequest
    stages = ("pose", "encode")

    def load(self) -> None:
        self.warmed = 0

    def warm_up(self) -> None:
        self.warmed += 1

    def run(self, request: TryOnRequest, stages: Stages) -> Outcome:
        with stages.stage("pose"):
            match request.person_image:
                case b"unfit":
                    raise Unfit("Nobody is there.", {"reason": "no_person"})
                case b"broken":
                    raise ZeroDivisionError
                case b"memory":
                    raise MemoryError
        with stages.stage("encode"):
            return Outcome((request.person_image,), {"seed": request.params.seed})

    def gauges(self) -> Mapping[str, float]:
        return {"vton_person_cache_hits": 1}


class Outlines(ImageHandler[PersonRequest]):
    """Gives two pictures of a person, each by its name."""

    request_type = PersonRequest
    stages = ("pose",)

    def load(self) -> None:
        pass

    def warm_up(self) -> None:
        pass

    def run(self, request: PersonRequest, stages: Stages) -> Outcome:
        stages.progress("pose", 1, 2)
        told = {"category": request.params.category}
        return Outcome((request.person_image, b"map"), told, ("mask", "parse_map"))

    def gauges(self) -> Mapping[str, float]:
        return {}


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def started() -> Mirror:
    handler = Mirror()
    handler.initialize(context(0)[0])
    return handler


def row(kind: str, number: int = 0) -> dict[str, Any]:
    photo = kind.encode() if kind in ("unfit", "broken", "memory") else f"photo {number}".encode()
    made: dict[str, Any] = {"params": PARAMS, "person_image": photo, "garment_image": b"cloth"}
    if kind == "undecodable":
        made["person_image"] = "a text"
    if kind == "unknown_field":
        made["colour"] = b"red"
    if kind == "unoffered_part":
        made["densepose"] = b"picture"
    if kind == "no_params":
        made["params"] = b"{not json"
    return made


def serve(handler: Mirror, rows: list[dict[str, Any]], **headers: str) -> FrontEnd:
    made, front_end = context(len(rows), headers)
    assert handler.handle(rows, made) == [b""] * len(rows)
    return front_end


@pytest.mark.prop(16)
@settings(max_examples=100)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
def test_no_row_of_a_batch_hurts_another(kinds: list[str]) -> None:
    front_end = serve(started(), [row(kind, index) for index, kind in enumerate(kinds)])
    for index, kind in enumerate(kinds):
        frames = front_end.frames(index)
        endings = [name for name, _ in frames if name in "DE"]
        assert len(endings) == 1
        assert frames[-1][0] == endings[0]
        if kind == "good":
            assert frames[-2] == ("I", f"photo {index}".encode())
            assert frames[-1][1]["model_version"] == "1.2.3"
        else:
            assert frames[-1][1]["error_code"] == CODES[kind]


def test_stages_are_announced_in_order_and_timed() -> None:
    frames = serve(started(), [row("good")]).frames(0)
    assert [payload for kind, payload in frames if kind == "P"] == [
        {"stage": "pose", "step": 1, "of": 2},
        {"stage": "encode", "step": 2, "of": 2},
    ]
    assert set(frames[-1][1]["stage_ms"]) == {"pose", "encode"}


def test_a_handler_reads_its_own_kind_of_request_and_names_its_pictures() -> None:
    sections = config()
    offered = {"options": ["category", "auto_crop"], "ranges": {}, "defaults": {}}
    sections["analysis"] = sections.pop("tryon") | offered
    handler = Outlines()
    handler.initialize(context(0, model_yaml=sections)[0])
    made, front_end = context(2)
    photo = {"params": {"category": "dresses"}, "person_image": b"photo"}
    handler.handle([photo, photo | {"garment_image": b"cloth"}], made)
    progress, mask, parse_map, (_, told) = front_end.frames(0)
    assert progress == ("P", {"stage": "pose", "step": 1, "of": 2})
    assert (mask, parse_map) == (("I", b"photo"), ("I", b"map"))
    assert (told["images"], told["category"]) == (["mask", "parse_map"], "dresses")
    assert front_end.frames(1)[-1][1]["details"] == {"fields": {"garment_image": "unknown field"}}


def test_a_worker_that_is_not_loaded_says_so_and_may_be_asked_again() -> None:
    handler = started()
    handler.ready = False
    error = serve(handler, [row("good")]).frames(0)[-1][1]
    assert (error["error_code"], error["retryable"]) == ("ML_4001", True)


def test_an_engine_failure_shows_nothing_internal() -> None:
    error = serve(started(), [row("broken")]).frames(0)[-1][1]
    assert error == {
        "error_code": "ML_4002",
        "message": "The engine broke on this request.",
        "details": {},
        "retryable": False,
    }


def lines(capture: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    written = capture.readouterr().out.splitlines()
    return [json.loads(line) for line in written if not line.startswith("[METRICS]")]


@pytest.mark.prop(32)
@pytest.mark.prop(35)
@pytest.mark.prop(36)
def test_an_inference_is_logged_with_the_callers_id(capsys: pytest.CaptureFixture[str]) -> None:
    serve(started(), [row("good"), row("good", 1)], **{"X-Request-Id": "from-gateway"})
    written = lines(capsys)
    assert all({"timestamp", "level", "message", "request_id"} <= line.keys() for line in written)
    first, second = [line for line in written if line["message"] == "inference"]
    assert (first["request_id"], second["request_id"]) == ("from-gateway", "row-1")
    assert first["batch_size"] == 2
    assert first["model"] == "geometric"
    assert first["duration_ms"] >= 0
    assert first["rss_bytes"] > 0
    assert first["gpu_memory_bytes"] == 0


@pytest.mark.prop(33)
def test_an_exception_is_logged_with_its_stack_and_id(capsys: pytest.CaptureFixture[str]) -> None:
    serve(started(), [row("broken")], **{"x-request-id": "abc"})
    (line,) = [one for one in lines(capsys) if one["level"] == "error"]
    assert line["request_id"] == "abc"
    assert "ZeroDivisionError" in line["exception"]


def test_metrics_keep_torchserves_form(capsys: pytest.CaptureFixture[str]) -> None:
    serve(started(), [row("good"), row("unfit")])
    written = [one for one in capsys.readouterr().out.splitlines() if one.startswith("[METRICS]")]
    assert any("vton_inferences.Count:1|#model:geometric,outcome:ok|" in one for one in written)
    assert any("outcome:ML_4005" in one for one in written)


@pytest.mark.parametrize("hostile", ["two\nlines", "x" * 129, "", "späce", '"quoted" id'])
def test_an_unsafe_request_id_is_replaced(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    serve(started(), [row("good")], **{"X-Request-Id": hostile})
    inference = next(line for line in lines(capsys) if line["message"] == "inference")
    assert inference["request_id"] == "row-0"
