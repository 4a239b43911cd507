"""New people under continuous batching: the tiny SDXL, turn by turn."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from handlers import images
from handlers.diffusion.conditioning import Text
from handlers.sdxl import SdxlHandler
from tests.handlers.diffusion import sdxl_deployment
from tests.handlers.torchserve_rows import context
from tests.handlers.turns import FrontEnd, ended

BODY: dict[str, Any] = {"count": 1, "height_cm": 172, "weight_kg": 68.5, "output_format": "png"}
HOT = 1e6  # words are never so large


def worker(**settings: Any) -> tuple[SdxlHandler, dict[str, Any]]:  # noqa: ANN401  any setting
    sections = sdxl_deployment.sections()
    sections["handler"] |= settings
    made, _ = context(1, model_yaml=sections)
    handler = SdxlHandler()
    handler.initialize(made)
    return handler, sections


@pytest.fixture(scope="module")
def shared() -> tuple[SdxlHandler, dict[str, Any]]:
    return worker()


@pytest.fixture
def front(shared: tuple[SdxlHandler, dict[str, Any]]) -> Iterator[FrontEnd]:
    made = FrontEnd(*shared)
    yield made
    assert not shared[0].turns.guests
    assert len(shared[0].turns.engine) == 0


def row(*, schedule: dict[str, Any] | None = None, **options: object) -> dict[str, Any]:
    parts = {"params": json.dumps({**BODY, **options}).encode()}
    return parts if schedule is None else {**parts, "schedule": json.dumps(schedule).encode()}


def pictures(frames: list[tuple[str, Any]]) -> list[NDArray[np.int16]]:
    shown = [payload for kind, payload in frames if kind == "I"]
    return [images.decode(one, "result", 10**6).astype(np.int16) for one in shown]


def alone(front: FrontEnd, **options: Any) -> list[NDArray[np.int16]]:  # noqa: ANN401
    name = f"alone-{len(front.opened)}"
    front.rows[name] = row(**options)
    front.until_all_have_ended()
    return pictures(front.frames(name))


def spoil(seat: Any, value: float) -> None:  # noqa: ANN401  a seat that has steps left
    """Change what the next steps are told; latents a step under way would replace."""
    words = seat.walk.words
    seat.walk.words = Text(torch.full_like(words.hidden, value), words.pooled)


@contextmanager
def running_out(handler: SdxlHandler) -> Iterator[None]:
    """Have memory run out where words are hot."""

    def run_out(_module: object, _given: object, named: dict[str, Tensor]) -> None:
        if named["encoder_hidden_states"].abs().max() >= HOT:
            raise torch.OutOfMemoryError("planted")

    unet = handler._assembled.get().networks.unet
    hook = unet.register_forward_pre_hook(run_out, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def steps(frames: list[tuple[str, Any]]) -> list[int]:
    """The steps that were told, without the word that the stage begins."""
    told = [payload for kind, payload in frames if kind == "P"]
    return [one["step"] for one in told if one["stage"] == "drawing"][1:]


@pytest.mark.prop(16)
@pytest.mark.prop(23)
def test_people_of_different_requests_are_drawn_together_as_they_are_alone(
    front: FrontEnd,
) -> None:
    wishes: dict[str, dict[str, Any]] = {
        "long": {"seed": 1, "steps": 12},
        "short": {"seed": 2, "steps": 2, "guidance_scale": 9.0, "pose": "relaxed"},
        "many": {"seed": 3, "steps": 4, "count": 3},
        "wide": {"seed": 4, "steps": 3, "width_px": 96},
    }
    front.rows["long"] = row(**wishes["long"])
    later = {name: row(**wish) for name, wish in wishes.items() if name != "long"}
    with front.priced(10.0, 11.0), front.recorded() as taken:
        with front.held("long"):
            front.rows |= later
            with front.held(*later):
                pass
        front.until_all_have_ended()
    assert ended(taken, "short") < ended(taken, "long")
    for name, wish in wishes.items():
        shown = pictures(front.frames(name))
        assert len(shown) == wish.get("count", 1)
        for mine, expected in zip(shown, alone(front, **wish), strict=True):
            assert np.abs(mine - expected).max() <= 1


def test_every_answer_keeps_what_was_promised(front: FrontEnd) -> None:
    front.rows["one"] = row(count=2, seed=5)
    front.until_all_have_ended()
    frames = front.frames("one")
    told = dict(frames)["D"]
    assert (told["seeds"], told["ai_generated"], told["blocked"]) == ([5, 6], True, 0)
    assert told["steps"] == 3
    for kind, payload in frames:
        if kind == "I":
            with Image.open(io.BytesIO(payload)) as opened:
                assert "trainedAlgorithmicMedia" in str(opened.info)


def test_whoever_is_wrong_hears_of_it_alone(front: FrontEnd) -> None:
    front.rows |= {"good": row(seed=6), "bad": row(width_px=70), "wordy": row(prompt="nude")}
    front.until_all_have_ended()
    assert front.frames("good")[-1][0] == "D"
    for name, field in (("bad", "width_px"), ("wordy", "prompt")):
        ((kind, told),) = front.frames(name)
        assert (kind, list(told["details"]["fields"])) == ("E", [field])


@pytest.mark.prop(16)
def test_one_whose_numbers_break_fails_alone(front: FrontEnd) -> None:
    front.rows |= {"good": row(seed=7, steps=6), "bad": row(seed=8, steps=6)}
    with front.held("good", "bad"):
        spoil(front.handler.turns.engine.state("bad"), torch.nan)
    front.until_all_have_ended()
    assert [front.frames(name)[-1][0] for name in ("good", "bad")] == ["D", "E"]
    assert np.abs(pictures(front.frames("good"))[0] - alone(front, seed=7, steps=6)[0]).max() <= 1


@pytest.mark.prop(16)
def test_a_step_that_runs_out_of_memory_costs_the_one_it_is_for(front: FrontEnd) -> None:
    front.rows |= {"good": row(seed=9, steps=6), "hot": row(seed=10, steps=6)}
    with front.held("good", "hot"):
        spoil(front.handler.turns.engine.state("hot"), HOT)
    with running_out(front.handler):
        front.until_all_have_ended()
    assert front.frames("hot")[-1][1]["error_code"] == "ML_4003"
    assert np.abs(pictures(front.frames("good"))[0] - alone(front, seed=9, steps=6)[0]).max() <= 1


def test_previews_of_the_person_come_as_wished(front: FrontEnd) -> None:
    front.rows["one"] = row(seed=11, steps=5, schedule={"preview_every": 2})
    front.until_all_have_ended()
    frames = front.frames("one")
    shown = [payload for kind, payload in frames if kind == "V"]
    assert len(shown) == 2
    for one in shown:
        with Image.open(io.BytesIO(one)) as opened:
            assert (opened.format, opened.size) == ("JPEG", (8, 12))


def test_where_the_network_visits_requests_are_drawn_whole(front: FrontEnd) -> None:
    visited = FrontEnd(*worker(memory="8gb"))
    visited.rows |= {name: row(seed=12, count=2) for name in ("one", "other")}
    visited.until_all_have_ended()
    expected = alone(front, seed=12, count=2)
    for name in ("one", "other"):
        frames = visited.frames(name)
        assert steps(frames) == [1, 2, 3, 4, 5, 6]
        for mine, theirs in zip(pictures(frames), expected, strict=True):
            assert np.abs(mine - theirs).max() <= 1


def test_asked_one_by_one_it_serves_a_batch_to_its_end() -> None:
    sections = sdxl_deployment.sections() | {"continuousBatching": False}
    made, front_end = context(2, model_yaml=sections)
    handler = SdxlHandler()
    handler.initialize(made)
    handler.handle([row(seed=1), row(seed=2, count=3)], made)
    assert [front_end.frames(index)[-1][0] for index in range(2)] == ["D", "D"]
    assert len(pictures(front_end.frames(1))) == 3
