"""A worker and its memory, asked classically: two models in room for one, room that runs out."""

import gc
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.idm_vton import IdmVtonHandler
from handlers.settings import BadSetting
from tests.handlers.diffusion import deployment, published, tiny
from tests.handlers.test_idm_vton import GARMENT, PERSON, pixels, png
from tests.handlers.torchserve_rows import context

Sections = dict[str, Any]
WIDE = {"step_error": 0.05, "picture_error": 0.05, "psnr_db": 30.0}


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another repository, whose pictures are others."""
    return published.write(tmp_path_factory.mktemp("variant") / "repository", published.Shape())


def started(**changes: Any) -> tuple[IdmVtonHandler, Sections]:  # noqa: ANN401  any setting
    sections = deployment.sections() | {"continuousBatching": False}
    sections["handler"] |= changes
    handler = IdmVtonHandler()
    handler.initialize(context(0, model_yaml=sections)[0])
    return handler, sections


def row(category: str = "upper_body") -> dict[str, Any]:
    """A request that understands nothing: its mask and surface are given."""
    white = np.full((128, 96), 255, np.uint8)
    params = {"category": category, "output_format": "png", "seed": 3}
    surface = png(np.zeros((128, 96, 3), np.uint8))
    pictures = {"person_image": PERSON, "garment_image": GARMENT}
    return {"params": params, **pictures, "mask": png(white), "densepose": surface}


def served(handler: IdmVtonHandler, sections: Sections, *rows: dict[str, Any]) -> list[Any]:
    """Give the ending of every row: its pictures and metadata, or its error."""
    made, front_end = context(len(rows), model_yaml=sections)
    handler.handle(rows, made)
    ended = []
    for index in range(len(rows)):
        frames = front_end.frames(index)
        images = [pixels(payload) for kind, payload in frames if kind == "I"]
        ended.append((frames[-1][0], images, frames[-1][1]))
    return ended


def answer(handler: IdmVtonHandler, sections: Sections, category: str) -> Any:  # noqa: ANN401
    ((ending, images, told),) = served(handler, sections, row(category))
    assert ending == "D", told
    return images[0], told


def tensor_bytes() -> int:
    gc.collect()
    found = [one for one in gc.get_objects() if type(one) in (torch.Tensor, torch.nn.Parameter)]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in found}
    return sum(storages.values())


@pytest.mark.slow
@pytest.mark.prop(24)
@pytest.mark.prop(26)
def test_two_models_in_room_for_one_take_turns_and_answer_as_if_alone(variant: Path) -> None:
    alone, sections = started()
    upper = answer(alone, sections, "upper_body")[0]
    room_bytes = alone._wardrobe.pool.census().held_bytes
    other, others = started(model_path=str(variant))
    lower = answer(other, others, "lower_body")[0]
    del alone, other

    pool = {"budget_bytes": int(room_bytes * 1.2), "budget_share": 0.8}
    handler, sections = started(variants={"lower_body": str(variant)}, pool=pool)
    levels: list[int] = []
    for turn in range(3):
        for category, expected in (("upper_body", upper), ("lower_body", lower)):
            assert np.array_equal(answer(handler, sections, category)[0], expected)
            assert handler._wardrobe.pool.census().models == 1
        levels.append(tensor_bytes())
        assert handler._wardrobe.pool.census().evictions == 2 * turn + 1
    assert levels[1] == levels[2] <= levels[0] * 1.01


@pytest.mark.slow
def test_two_models_that_both_fit_stay(variant: Path) -> None:
    handler, sections = started(variants={"dresses": str(variant)})
    for category in ("upper_body", "dresses", "lower_body", "dresses"):
        answer(handler, sections, category)
    census = handler._wardrobe.pool.census()
    assert (census.models, census.loads, census.evictions) == (2, 2, 0)
    assert handler.gauges()["vton_models"] == 2


def test_a_variant_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="nothing: no such folder"):
        started(variants={"dresses": str(tmp_path / "nothing")})


def test_a_variant_for_no_category_stops_the_start() -> None:
    with pytest.raises(BadSetting, match=r"handler\.variants\.hats: expected one of upper_body"):
        started(variants={"hats": str(tiny.REPOSITORY)})


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_that_is_none_stops_the_start(share: float) -> None:
    with pytest.raises(BadSetting, match=r"handler\.pool\.budget_share"):
        started(pool={"budget_bytes": 0, "budget_share": share})


@contextmanager
def running_out(network: nn.Module, at_pass: int) -> Iterator[None]:
    """Let the device have no room in the middle of the `at_pass`-th pass of a network."""
    passes = 0

    def run_out(*_: object) -> None:
        nonlocal passes
        passes += 1
        if passes == at_pass:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.20 GiB.")

    hook = network.register_forward_hook(run_out)
    try:
        yield
    finally:
        hook.remove()


def tryon(handler: IdmVtonHandler) -> nn.Module:
    (studio,) = handler._wardrobe.pool.models()
    middle: nn.Module = studio._nets.tryon.mid_block
    return middle


def decoder(handler: IdmVtonHandler) -> nn.Module:
    (studio,) = handler._wardrobe.pool.models()
    last: nn.Module = studio._nets.vae.decoder
    return last


@pytest.mark.slow
@pytest.mark.prop(16)
@pytest.mark.prop(24)
@pytest.mark.parametrize("memory", ["full", "12gb"])
@pytest.mark.parametrize(("where", "at_pass"), [(tryon, 2), (decoder, 1)], ids=["step", "decode"])
def test_running_out_in_the_middle_of_a_run_is_one_request_s_own(
    where: Callable[[IdmVtonHandler], nn.Module], at_pass: int, memory: str
) -> None:
    handler, sections = started(memory=memory)
    expected, _ = answer(handler, sections, "upper_body")
    answer(handler, sections, "upper_body")
    level = tensor_bytes()
    with running_out(where(handler), at_pass):
        failed, good = served(handler, sections, row(), row())
    assert failed[0] == "E"
    assert (failed[2]["error_code"], failed[2]["retryable"]) == ("ML_4003", True)
    assert "CUDA" not in json.dumps(failed[2])
    assert good[0] == "D"
    assert np.array_equal(good[1][0], expected)
    assert np.array_equal(answer(handler, sections, "upper_body")[0], expected)
    assert tensor_bytes() <= level


@pytest.mark.slow
@pytest.mark.prop(36)
def test_an_answer_and_the_log_tell_how_it_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    handler, sections = started(quantization="int8", quantization_limits=WIDE, memory="16gb")
    _, told = answer(handler, sections, "upper_body")
    error = told["runtime"].pop("quantization_error")
    assert 0 < error < 0.05
    assert told["runtime"] == {
        "device": "cpu",
        "dtype": "float32",
        "memory": "16gb",
        "attention": "sdpa",
        "quantization": "int8",
        "speed": [],
    }
    assert told["gpu_peak_bytes"] == 0
    assert handler.gauges()["vton_quantization_error"] == pytest.approx(error, abs=1e-5)
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines() if one[:1] == "{"]
    assert any("INT8 verified" in one["message"] for one in lines)
    inference = next(one for one in lines if one["message"] == "inference")
    kinds = ("gpu_memory_bytes", "gpu_before_bytes", "gpu_peak_bytes")
    assert [inference[kind] for kind in kinds] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.prop(22)
def test_a_worker_whose_int8_is_not_good_enough_serves_in_full_precision(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, sections = started()
    expected, _ = answer(whole, sections, "upper_body")
    handler, sections = started(quantization="int8")
    picture, told = answer(handler, sections, "upper_body")
    assert np.array_equal(picture, expected)
    assert told["runtime"]["quantization"] == "none"
    assert told["runtime"]["quantization_error"] > 0.02
    assert "(limit 0.02): full precision instead" in capsys.readouterr().out
