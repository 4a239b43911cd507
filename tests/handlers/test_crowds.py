"""Crowds of requests, leavers and faults on the tiny model: everybody ends as they would alone."""

import gc
import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from handlers import telemetry
from handlers.diffusion.studio import Seat
from handlers.idm_vton import IdmVtonHandler
from tests.handlers.diffusion import deployment
from tests.handlers.test_idm_vton import pixels
from tests.handlers.torchserve_rows import context
from tests.handlers.turns import FrontEnd, row, scheduled, still

MIXES = 200
REAL = (torch.Tensor, torch.nn.Parameter)  # and no tensors of a compiler's
HOT = 1e6  # latents are never so large
SECTIONS = deployment.sections()
KINDS: list[dict[str, Any]] = [
    {"seed": 1, "steps": 1},
    {"seed": 2, "steps": 3},
    {"seed": 3, "steps": 5, "guidance_scale": 1.0},
    {"seed": 4, "steps": 4, "guidance_scale": 5.0},
    {"seed": 5, "steps": 6, "strength": 0.5},
    {"seed": 6, "steps": 2, "num_samples": 3, "pose_seed": 9},
    {"seed": 7, "steps": 3, "garment_description": "a red shirt"},
    {"seed": 8, "steps": 2, "category": "dresses"},
]
Pictures = list[NDArray[np.int16]]


@dataclass
class Guest:
    """One request of a crowd: what it asks, when it comes, and what becomes of it."""

    kind: int
    comes_turn: int
    fate: str
    strikes_turn: int
    struck: bool = field(default=False)


FATES = ["well"] * 8 + ["leaves", "leaves", "rots", "breaks", "runs out", "blind", "wrong", "late"]
WRONG = {"rots": "ML_4002", "breaks": "ML_4002", "runs out": "ML_4003"}
REFUSED = {"blind": "VAL_2004", "wrong": "VAL_2001", "late": "ML_4007"}


def crowd(seed: int) -> dict[str, Guest]:
    draw = random.Random(seed)
    return {
        f"{seed}-{number}": Guest(
            draw.randrange(len(KINDS)), draw.randrange(8), draw.choice(FATES), draw.randrange(2, 10)
        )
        for number in range(draw.randrange(1, 7))
    }


def asked(guest: Guest) -> dict[str, Any]:
    options = KINDS[guest.kind]
    if guest.fate == "wrong":
        return row(**{**options, "steps": "many"})
    if guest.fate == "late":
        return scheduled({"within_s": 1e-9}, **options)
    if guest.fate == "blind":
        return {**row(**options), "garment_image": b"no picture"}
    return row(**options)


@pytest.fixture(scope="module")
def worker() -> IdmVtonHandler:
    handler = IdmVtonHandler()
    handler.initialize(context(1, model_yaml=SECTIONS)[0])
    return handler


@pytest.fixture(scope="module")
def alone(worker: IdmVtonHandler) -> list[Pictures]:
    """The pictures of every kind of request, with nobody else."""
    shown = []
    for number, options in enumerate(KINDS):
        front = FrontEnd(worker, SECTIONS)
        front.rows[f"alone-{number}"] = row(**options)
        front.until_all_have_ended()
        shown.append(pictures(front.frames(f"alone-{number}")))
    return shown


def pictures(frames: list[tuple[str, Any]]) -> Pictures:
    return [pixels(payload).astype(np.int16) for kind, payload in frames if kind == "I"]


@contextmanager
def faulty(worker: IdmVtonHandler, fault: Callable[[], Exception]) -> Iterator[None]:
    """A network that breaks on latents which are hot."""

    def break_on_hot(_module: object, given: tuple[torch.Tensor, ...]) -> None:
        if float(given[0].abs().max()) > HOT:
            raise fault()

    with worker._wardrobe.studio("upper_body") as studio:
        hook = studio._nets.tryon.conv_in.register_forward_pre_hook(break_on_hot)
    try:
        yield
    finally:
        hook.remove()


def strike(worker: IdmVtonHandler, name: str, guest: Guest) -> None:
    """Let a request that is seated go wrong, as its fate wants it."""
    with still(worker):
        seat = worker.turns.engine.state(name)
        if seat is None or not seat.steps_left:
            return
        guest.struck = True
        assert isinstance(seat, Seat)
        if guest.fate == "rots":
            seat.walk.now = torch.full_like(seat.walk.now, torch.nan)
        else:
            seat.walk.now = seat.walk.now * HOT * 100


def play(worker: IdmVtonHandler, guests: dict[str, Guest]) -> FrontEnd:
    front, turn = FrontEnd(worker, SECTIONS), 0
    while front.rows or any(one.comes_turn >= turn for one in guests.values()):
        for name, guest in guests.items():
            if guest.comes_turn == turn:
                front.rows[name] = asked(guest)
            if name not in front.rows or turn < guest.strikes_turn or guest.struck:
                continue
            if guest.fate == "leaves":
                guest.struck = True
                del front.rows[name]
            elif guest.fate in WRONG:
                strike(worker, name, guest)
        front.turn()
        turn += 1
    front.turn()  # with nobody in: who hung up last is let go
    with still(worker):
        return front


def judge(name: str, guest: Guest, front: FrontEnd, alone: list[Pictures]) -> None:
    frames = front.frames(name)
    ends = [kind for kind, _ in frames if kind in "DE"]
    if guest.fate in REFUSED:
        assert frames[-1][1]["error_code"] == REFUSED[guest.fate], (name, guest)
    elif guest.fate in WRONG and guest.struck:
        assert frames[-1][1]["error_code"] in set(WRONG.values()), (name, guest)
    elif guest.fate == "leaves" and guest.struck:
        assert not ends, (name, guest)
        return
    else:
        mine, golden = pictures(frames), alone[guest.kind]
        assert len(mine) == len(golden), (name, guest)
        for one, other in zip(mine, golden, strict=True):
            assert np.abs(one - other).max() <= 1, (name, guest)
    assert len(ends) == 1, (name, guest)


def held_bytes() -> int:
    """What all living tensors occupy; views of one storage count once."""
    gc.collect()
    tensors = (one for one in gc.get_objects() if type(one) in REAL)
    stores = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(stores.values())


@pytest.mark.slow
@pytest.mark.prop(16)
@pytest.mark.prop(24)
def test_everybody_ends_with_their_own_picture_or_error_and_memory_is_as_before(
    worker: IdmVtonHandler, alone: list[Pictures]
) -> None:
    telemetry.write_json_lines(io.StringIO())  # pytest's own log keeps tracebacks, and their frames
    worker._forget()
    before_bytes = held_bytes()
    faults = (lambda: torch.OutOfMemoryError("planted"), lambda: RuntimeError("planted"))
    for seed in range(MIXES):
        guests = crowd(seed)
        with faulty(worker, faults[seed % 2]):
            front = play(worker, guests)
        for name, guest in guests.items():
            judge(name, guest, front, alone)
        assert not worker.turns.guests
        assert len(worker.turns.engine) == 0
    worker._forget()
    assert held_bytes() <= before_bytes


def test_a_crowd_holds_every_fate() -> None:
    fates = {guest.fate for seed in range(MIXES) for guest in crowd(seed).values()}
    assert fates == set(FATES)
