"""Continuous batching as TorchServe asks for it: turns, joins, leavers, faults; the tiny model."""

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handlers import telemetry
from handlers.idm_vton import IdmVtonHandler
from tests.handlers.diffusion import deployment, published, tiny
from tests.handlers.test_idm_vton import golden, pixels
from tests.handlers.torchserve_rows import context
from tests.handlers.turns import FrontEnd, row, scheduled
from tests.patience import PATIENCE_S

HOT = 1e6  # latents are never so large
SECTIONS = deployment.original()


@pytest.fixture(scope="module")
def worker() -> IdmVtonHandler:
    made, _ = context(1, model_yaml=SECTIONS)
    handler = IdmVtonHandler()
    handler.initialize(made)
    return handler


@pytest.fixture
def front(worker: IdmVtonHandler) -> Iterator[FrontEnd]:
    made = FrontEnd(worker, SECTIONS)
    yield made
    assert not worker.turns.guests
    assert len(worker.turns.engine) == 0


def steps(frames: list[tuple[str, Any]]) -> list[tuple[int, int]]:
    """The steps that were told, without the word that the stage begins."""
    told = [payload for kind, payload in frames if kind == "P"]
    mine = [one for one in told if one["stage"] == IdmVtonHandler.step_stage]
    return [(one["step"], one["of"]) for one in mine[1:]]


def picture(frames: list[tuple[str, Any]]) -> Any:  # noqa: ANN401  pixels
    return pixels(next(payload for kind, payload in frames if kind == "I")).astype(int)


@pytest.mark.prop(23)
def test_requests_of_different_length_step_together_and_the_golden_comes_out(
    front: FrontEnd,
) -> None:
    front.rows |= {"golden": row(), "other": row(seed=9, steps=2, guidance_scale=1.0)}
    with front.priced(10.0, 11.0):  # company pays
        with front.held("golden", "other"):
            pass
        front.until_all_have_ended()
    assert np.abs(picture(front.frames("golden")) - golden()[1]).max() <= 1
    assert steps(front.frames("golden")) == [(step, 4) for step in (1, 2, 3, 4)]
    shared = {name: dict(front.frames(name))["D"]["batch_size"] for name in ("golden", "other")}
    assert shared == {"golden": 1, "other": 2}  # of the last step


def test_whoever_is_wrong_hears_of_it_alone(front: FrontEnd) -> None:
    front.rows["good"] = row()
    front.rows["bad"] = row(steps="many")
    front.rows["blind"] = {**row(), "person_image": b"no picture"}
    front.until_all_have_ended()
    assert [kind for kind, _ in front.frames("bad")] == ["E"]
    assert front.frames("bad")[0][1]["error_code"] == "VAL_2001"
    assert front.frames("blind")[-1][1]["error_code"] == "VAL_2004"
    assert np.abs(picture(front.frames("good")) - golden()[1]).max() <= 1


def test_who_hangs_up_is_let_go_within_a_turn(front: FrontEnd) -> None:
    front.rows |= {"stays": row(), "gone": row(seed=3, steps=40)}
    with front.held("stays", "gone"):
        del front.rows["gone"]
        front.turn()
    assert "gone" not in front.handler.turns.guests
    front.until_all_have_ended()
    assert front.frames("stays")[-1][0] == "D"


@pytest.mark.prop(16)
def test_samples_come_in_one_answer(front: FrontEnd) -> None:
    front.rows["several"] = row(num_samples=2, seed=5, pose_seed=6)
    front.until_all_have_ended()
    frames = front.frames("several")
    assert [kind for kind, _ in frames if kind != "P"] == ["I", "I", "D"]
    # Together, or where company does not pay, one after the other.
    assert steps(frames) in ([(n, 4) for n in range(1, 5)], [(n, 8) for n in range(1, 9)])


@pytest.mark.prop(33)
@pytest.mark.prop(35)
def test_a_fault_in_a_step_costs_its_owner_alone(front: FrontEnd) -> None:
    def fails_for_the_hot(_module: object, given: tuple[torch.Tensor, ...]) -> None:
        if float(given[0].abs().max()) > HOT:
            raise torch.OutOfMemoryError("planted")

    front.rows |= {"good": row(), "long": row(steps=7), "also": row(seed=8)}
    with front.held("long"):
        seat = front.handler.turns.engine.state("long")
        assert seat is not None
        seat.walk.now = seat.walk.now * HOT
        with front.handler._wardrobe.studio("upper_body") as studio:
            hook = studio._nets.tryon.conv_in.register_forward_pre_hook(fails_for_the_hot)
        log = io.StringIO()
        telemetry.write_json_lines(log)
    try:
        front.until_all_have_ended()
    finally:
        hook.remove()
    lines = [json.loads(line) for line in log.getvalue().splitlines() if line.startswith("{")]
    broken = [line for line in lines if "exception" in line]
    assert {line["request_id"] for line in broken} == {"asked-long"}
    written = {line["request_id"]: line["outcome"] for line in lines if "outcome" in line}
    assert written == {"asked-good": "ok", "asked-also": "ok", "asked-long": "ML_4003"}
    assert front.frames("long")[-1][1]["error_code"] == "ML_4003"
    assert np.abs(picture(front.frames("good")) - golden()[1]).max() <= 1
    assert front.frames("also")[-1][0] == "D"


def test_what_it_becomes_is_shown_every_so_many_steps(front: FrontEnd) -> None:
    front.rows["shown"] = scheduled({"preview_every": 2}, steps=5)
    front.until_all_have_ended()
    frames = front.frames("shown")
    before = [frames[n - 1][1]["step"] for n, (kind, _) in enumerate(frames) if kind == "V"]
    assert before == [2, 4]
    small = pixels(next(payload for kind, payload in frames if kind == "V"))
    whole = picture(frames)
    assert [whole.shape[n] // small.shape[n] for n in (0, 1)] == [8, 8]
    assert small.std() > 0


def test_what_cannot_be_there_in_time_is_refused_before_any_work(front: FrontEnd) -> None:
    front.rows["late"] = scheduled({"within_s": 1e-4}, steps=40)
    front.turn()
    frames = front.frames("late")
    assert [kind for kind, _ in frames] == ["E"]
    assert frames[0][1]["error_code"] == "ML_4007"
    assert frames[0][1]["details"]["within_s"] == 1e-4
    assert frames[0][1]["details"]["estimate_s"] >= 0


def test_who_would_take_fewer_steps_gets_as_many_as_there_is_time_for(front: FrontEnd) -> None:
    worker = front.handler
    reserve, step_s = worker.settings.stepping.reserve, 1000.0
    within_s = (worker.turns._around_s + 20.5 * step_s) / (1 - reserve)
    front.rows["lower"] = scheduled({"within_s": within_s, "least_steps": 2}, steps=40)
    with front.priced(step_s):
        front.until_all_have_ended()
    told = dict(front.frames("lower"))["D"]
    assert (told["steps_asked"], told["steps"]) == (40, 20)
    assert steps(front.frames("lower"))[-1] == (20, 20)


def test_a_schedule_that_is_none_names_what_is_wrong(front: FrontEnd) -> None:
    front.rows["wrong"] = scheduled({"within_s": -1, "kind": "urgent", "colour": "red"})
    front.turn()
    told = front.frames("wrong")[0][1]
    assert told["error_code"] == "VAL_2001"
    assert sorted(told["details"]["fields"]) == [
        "schedule.colour",
        "schedule.kind",
        "schedule.within_s",
    ]


def test_who_waits_hears_of_their_place_and_when_they_will_be_done(front: FrontEnd) -> None:
    front.rows |= {f"r{n}": row(seed=n, steps=6) for n in range(3)}
    front.turn()
    first = [front.frames(f"r{n}")[0][1] for n in range(3)]
    assert [one["stage"] for one in first] == ["queue"] * 3
    assert [one["queue_position"] for one in first] == [0, 1, 2]
    assert all(one["estimate_s"] >= 0 for one in first)
    front.until_all_have_ended()


def test_who_is_prepared_does_not_hold_up_who_steps(front: FrontEnd) -> None:
    """The newcomer's preparing is held up until the other one is done."""
    is_asked, may_go_on = threading.Event(), threading.Event()
    analyst = front.handler._analyst

    class Slow:
        def understand(self, *given: Any) -> Any:  # noqa: ANN401  as the analyst's
            is_asked.set()
            assert may_go_on.wait(PATIENCE_S)
            return analyst.understand(*given)

        def forget(self) -> None:
            analyst.forget()

        def sweep(self) -> None:
            analyst.sweep()

    front.rows["steps"] = row(steps=4)
    try:
        with front.held("steps"):
            front.handler._analyst = Slow()
            front.rows["new"] = {name: part for name, part in row().items() if name != "densepose"}
            front.until(is_asked.is_set)
        front.until(lambda: steps(front.frames("steps"))[-1:] == [(4, 4)])
        assert front.handler.turns.guests["new"] is front.handler.turns.aside.current
        may_go_on.set()
        front.until_all_have_ended()
    finally:
        may_go_on.set()
        front.handler._analyst = analyst
    assert front.frames("steps")[-1][0] == "D"
    assert front.frames("new")[-1][0] in {"D", "E"}


def test_the_tiny_repository_is_the_one_of_the_goldens() -> None:
    assert SECTIONS["handler"]["model_path"] == str(tiny.REPOSITORY)


@pytest.mark.slow
@pytest.mark.prop(26)
def test_two_models_in_room_for_one_take_turns_without_waiting_for_themselves(
    worker: IdmVtonHandler, tmp_path: Path
) -> None:
    variant = published.write(tmp_path / "repository", published.Shape())
    sections = deployment.sections()
    room_bytes = int(worker._wardrobe.pool.census().held_bytes * 1.01)
    sections["handler"] |= {
        "variants": {"lower_body": str(variant)},
        "pool": {"budget_bytes": room_bytes, "budget_share": 0.8},
    }
    handler = IdmVtonHandler()
    handler.initialize(context(1, model_yaml=sections)[0])
    front = FrontEnd(handler, sections)
    front.rows = {
        f"{n}-{category}": row(category=category, seed=n, steps=3)
        for n, category in enumerate(["upper_body", "lower_body", "upper_body", "lower_body"])
    }
    names = list(front.rows)
    front.until_all_have_ended()
    assert [front.frames(name)[-1][0] for name in names] == ["D"] * 4
    assert handler._wardrobe.pool.census().models == 1
