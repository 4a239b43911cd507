"""Crowds who ask for people: random comers, leavers and faults on the tiny SDXL."""

import gc
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handlers import telemetry
from handlers.sdxl import SdxlHandler
from tests.handlers.diffusion import sdxl_deployment
from tests.handlers.test_sdxl_turns import HOT, pictures, row, running_out, spoil, worker
from tests.handlers.turns import FrontEnd, still

KINDS: list[dict[str, Any]] = [
    {"seed": 1, "steps": 1},
    {"seed": 2, "steps": 4, "guidance_scale": 2.0},
    {"seed": 3, "steps": 6, "guidance_scale": 9.0, "pose": "relaxed"},
    {"seed": 4, "steps": 2, "count": 3},
    {"seed": 5, "steps": 3, "width_px": 96},
    {"seed": 6, "steps": 5, "count": 2, "gender": "man"},
]
FAULTS = {"rots": "ML_4002", "runs out": "ML_4003", "wrong": "VAL_2001", "late": "ML_4007"}
_numbers = count()


@dataclass(frozen=True)
class Comer:
    """What one asks for, when, what becomes of it, and how many turns after it came."""

    kind: int
    comes_turn: int
    fate: str
    strikes_after: int

    def asked(self) -> dict[str, Any]:
        options = KINDS[self.kind]
        if self.fate == "wrong":
            return row(**{**options, "width_px": 65})
        return row(**options, schedule={"within_s": 1e-9} if self.fate == "late" else None)


comers = st.builds(
    Comer,
    kind=st.integers(0, len(KINDS) - 1),
    comes_turn=st.integers(0, 6),
    fate=st.sampled_from([*["well"] * 4, "leaves", *FAULTS]),
    strikes_after=st.integers(1, 6),
)


@pytest.fixture(scope="module")
def drawing() -> SdxlHandler:
    return worker()[0]


@pytest.fixture(scope="module")
def alone(drawing: SdxlHandler) -> list[list[NDArray[np.int16]]]:
    """The pictures of every kind of request, with nobody else."""
    shown = []
    for options in KINDS:
        front = FrontEnd(drawing, sdxl_deployment.sections())
        front.rows["alone"] = row(**options)
        front.until_all_have_ended()
        shown.append(pictures(front.frames("alone")))
    return shown


def strike(front: FrontEnd, name: str, fate: str) -> bool:
    """Let somebody's fate come to them; say whether it did.

    Who has no seat is spared.
    """
    if fate == "leaves":
        return front.rows.pop(name, None) is not None
    if fate not in ("rots", "runs out"):
        return False
    with still(front.handler):
        seat = front.handler.turns.engine.state(name)
        if seat is None or not seat.steps_left:
            return False
        spoil(seat, torch.nan if fate == "rots" else HOT)
    return True


def played(front: FrontEnd, crowd: dict[str, Comer]) -> set[str]:
    """Have everybody come, be struck and end; give who was struck."""
    struck: set[str] = set()
    turn = 0
    while turn < 14 or front.rows:
        for name, one in crowd.items():
            if turn == one.comes_turn:
                front.rows[name] = one.asked()
            if turn == one.comes_turn + one.strikes_after and strike(front, name, one.fate):
                struck.add(name)
        front.turn()
        turn += 1
    return struck


def tensors() -> int:
    gc.collect()
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())


@pytest.mark.slow
@pytest.mark.prop(16)
@pytest.mark.prop(23)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(comers, min_size=1, max_size=5))
def test_everybody_ends_with_their_own_pictures_or_their_own_error(
    drawing: SdxlHandler, alone: list[list[NDArray[np.int16]]], chosen: Sequence[Comer]
) -> None:
    front = FrontEnd(drawing, sdxl_deployment.sections())
    crowd = {f"comer-{next(_numbers)}": one for one in chosen}
    with running_out(drawing):
        struck = played(front, crowd)
    assert (len(drawing.turns.guests), len(drawing.turns.engine)) == (0, 0)
    for name, one in crowd.items():
        if one.fate == "leaves" and name in struck:
            continue
        frames = front.frames(name)
        if one.fate in ("wrong", "late") or name in struck:
            assert (frames[-1][0], frames[-1][1]["error_code"]) == ("E", FAULTS[one.fate])
            continue
        assert frames[-1][0] == "D"
        for mine, expected in zip(pictures(frames), alone[one.kind], strict=True):
            assert np.abs(mine - expected).max() <= 1


@pytest.mark.prop(24)
def test_nothing_is_held_of_who_was_there(
    drawing: SdxlHandler, alone: list[list[NDArray[np.int16]]]
) -> None:
    telemetry.write_json_lines(io.StringIO())  # pytest's own log keeps tracebacks, and their frames
    before = tensors() if alone else 0
    for again in range(3):
        assert one_of_each_fate(drawing, f"held-{again}") == FAULTS
    assert tensors() <= before


def one_of_each_fate(drawing: SdxlHandler, called: str) -> dict[str, str]:
    """Have everybody meet their fate before the first step; give who had which error."""
    front = FrontEnd(drawing, sdxl_deployment.sections())
    names = {fate: f"{called}-{fate}" for fate in ("well", "leaves", *FAULTS)}
    front.rows |= {name: Comer(2, 0, fate, 0).asked() for fate, name in names.items()}
    with running_out(drawing):
        with front.held(*(names[fate] for fate in ("well", "leaves", "rots", "runs out"))):
            del front.rows[names["leaves"]]
            for fate, value in (("rots", torch.nan), ("runs out", HOT)):
                spoil(drawing.turns.engine.state(names[fate]), value)
        front.until_all_have_ended()
    ends = {fate: front.frames(name)[-1] for fate, name in names.items()}
    assert ends["well"][0] == "D"
    return {fate: told["error_code"] for fate, (kind, told) in ends.items() if kind == "E"}
