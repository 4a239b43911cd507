"""What a person worker answers, byte for byte, is what the gateway reads."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from PIL import Image

from gateway.adapters.torchserve_stream import prediction_of
from gateway.domain.analysis import Analysis
from gateway.domain.frames import FrameReader
from gateway.domain.jobs import Prediction
from handlers.person import PersonHandler
from tests.handlers.torchserve_rows import ROOT, context

SAMPLES = ROOT / "gateway" / "web" / "samples" / "people"
PHOTO = (SAMPLES / "man-grey-tee.jpg").read_bytes()


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def answered(category: str) -> Prediction:
    sections: dict[str, Any] = yaml.safe_load((ROOT / "config" / "person.yaml").read_text())
    sections["handler"]["warm_up_rounds"] = 0
    handler = PersonHandler()
    made, front_end = context(1, model_yaml=sections)
    handler.initialize(made)
    row = {"params": {"category": category}, "person_image": PHOTO}
    handler.handle([row], made)
    frames = list(FrameReader(1 << 24).feed(front_end.sent["row-0"]))
    return prediction_of([frame for frame in frames if frame.kind.value != b"P"])


@pytest.mark.slow
def test_an_analysis_goes_from_worker_to_gateway() -> None:
    answer = answered("upper_body")
    analysis = Analysis.of(answer.metadata)
    size = Image.open(io.BytesIO(PHOTO)).size
    assert (analysis.width_px, analysis.height_px) == size
    assert {name for name, _ in analysis.found()} >= {"nose", "neck", "right_shoulder"}
    shown = analysis.by_name([str(number) for number in range(len(answer.images))])
    pictures = {
        name: Image.open(io.BytesIO(answer.images[int(number)])) for name, number in shown.items()
    }
    assert {name: (one.mode, one.size) for name, one in pictures.items()} == {
        "mask": ("L", size),
        "parse_map": ("L", size),
        "densepose": ("RGB", size),
    }
    assert set(pictures["mask"].tobytes()) == {0, 255}
    assert set(pictures["parse_map"].tobytes()) <= set(analysis.labels.values())
