"""What an SDXL worker answers, byte for byte, is what the gateway reads."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gateway.adapters.torchserve_stream import prediction_of
from gateway.domain.bodies import Drawing
from gateway.domain.frames import FrameReader
from gateway.domain.jobs import Prediction
from gateway.errors.kinds import InvalidInput, Unfit
from handlers.sdxl import SdxlHandler
from tests.handlers.diffusion import sdxl_deployment, tiny_sdxl
from tests.handlers.torchserve_rows import context
from tests.handlers.turns import FrontEnd

BODY: dict[str, Any] = {"count": 1, "height_cm": 172, "weight_kg": 68.5, "output_format": "png"}


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def answered(sections: dict[str, Any], **options: object) -> Prediction:
    handler, (made, _) = SdxlHandler(), context(1, model_yaml=sections)
    handler.initialize(made)
    front = FrontEnd(handler, sections)
    front.rows["row"] = {"params": BODY | options}
    front.until_all_have_ended()
    frames = list(FrameReader(1 << 24).feed(front.streams["row"]))
    return prediction_of([frame for frame in frames if frame.kind.value != b"P"])


def test_people_go_from_worker_to_gateway() -> None:
    answer = answered(sdxl_deployment.sections(), count=3, seed=7, skin_tone="tan")
    drawing = Drawing.of(answer.metadata, len(answer.images))
    assert (drawing.seeds, drawing.blocked) == ((7, 8, 9), 0)
    size = (sdxl_deployment.WIDTH_PX, sdxl_deployment.HEIGHT_PX)
    assert {Image.open(io.BytesIO(one)).size for one in answer.images} == {size}


def test_a_size_that_the_worker_refuses_is_a_fault_of_its_field() -> None:
    with pytest.raises(InvalidInput) as caught:
        answered(sdxl_deployment.sections(), width_px=65)
    faults = caught.value.details["fields"]
    assert faults == [{"field": "width_px", "message": "must be a multiple of 32"}]


def test_pictures_that_are_all_kept_back_are_no_failure(tmp_path: Path) -> None:
    sections = sdxl_deployment.sections()
    strict = str(tiny_sdxl.write_checker(tmp_path / "checker", -1.0))
    sections["handler"]["safety_checker"]["model_path"] = strict
    with pytest.raises(Unfit) as caught:
        answered(sections, count=2)
    assert caught.value.details == {"reason": "blocked", "blocked": 2}
