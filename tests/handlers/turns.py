"""TorchServe's side of continuous batching without its Java: turns, joins, leavers."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from handlers.engine.costs import StepCosts
from handlers.stepping import SteppingHandler
from tests.handlers.test_idm_vton import golden
from tests.handlers.torchserve_rows import context, read_frames
from tests.patience import PATIENCE_S


class FrontEnd:
    """TorchServe's side: who is in flight, what was streamed to whom, and who has ended."""

    def __init__(self, handler: Any, sections: dict[str, Any]) -> None:  # noqa: ANN401  any that steps
        self.handler, self.sections = handler, sections
        self.rows: dict[str, dict[str, Any]] = {}
        self.streams: dict[str, bytes] = defaultdict(bytes)
        self.turns: dict[str, int] = defaultdict(int)
        self.opened: set[str] = set()

    def turn(self) -> None:
        """Call the worker once with everybody in flight; payloads are sent the first time alone."""
        names = list(self.rows)
        made, _ = context(
            len(names),
            *({"X-Request-Id": f"asked-{name}"} for name in names),
            model_yaml=self.sections,
        )
        made.request_ids = dict(enumerate(names))
        rows = [{} if name in self.opened else self.rows[name] for name in names]
        answers = self.handler.handle(rows, made)
        for index, (name, frames) in enumerate(zip(names, answers, strict=True)):
            is_last = made.stopping_criteria[index](frames)
            # TorchServe never ends a stream that it has not opened.
            assert is_last is not True or name in self.opened
            self.opened.add(name)
            self.streams[name] += frames
            self.turns[name] += 1
            if is_last is not False:
                del self.rows[name]

    def until(self, came: Callable[[], object]) -> None:
        """Take turns until it has come; a machine may be as slow as it likes."""
        while not came():
            self.turn()

    def until_all_have_ended(self) -> None:
        self.until(lambda: not self.rows)

    @contextmanager
    def held(self, *names: str) -> Iterator[None]:
        """Have everybody of `names` seated, and nobody step while inside."""
        may_go_on, advance = threading.Event(), self.handler.advance

        def wait_first(states: Sequence[Any]) -> None:
            assert may_go_on.wait(PATIENCE_S)
            advance(states)

        self.handler.advance = wait_first
        try:
            self.until(lambda: all(self.handler.turns.engine.state(name) for name in names))
            yield
        finally:
            may_go_on.set()
            self.handler.advance = advance

    @contextmanager
    def priced(self, *curve_s: float) -> Iterator[None]:
        """Have the scheduler count with these costs of a step while inside, on any machine."""
        scheduler = self.handler.turns.engine._scheduler
        before = scheduler._costs, scheduler._pace
        scheduler._costs, scheduler._pace = StepCosts.alike(curve_s), 1.0
        try:
            yield
        finally:
            scheduler._costs, scheduler._pace = before

    @contextmanager
    def recorded(self) -> Iterator[list[set[str]]]:
        """Give a list of who has taken each step together, while inside."""
        taken, advance = list[set[str]](), self.handler.advance

        def record(states: Sequence[Any]) -> None:
            engine = self.handler.turns.engine
            with self.handler.turns.lock:
                seated = {name: engine.state(name) for name in self.handler.turns.guests}
            advance(states)
            taken.append({name for name, seat in seated.items() if any(seat is s for s in states)})

        self.handler.advance = record
        try:
            yield taken
        finally:
            self.handler.advance = advance

    def frames(self, name: str) -> list[tuple[str, Any]]:
        return read_frames(self.streams[name])


def ended(taken: Sequence[set[str]], name: str) -> int:
    """Give the number of the step, of all that were recorded, that was somebody's last."""
    return max(number for number, names in enumerate(taken) if name in names)


@contextmanager
def still(handler: SteppingHandler[Any, Any]) -> Iterator[None]:
    """Have nothing under way while inside: the running step and all work beside it are done."""
    turns = handler.turns
    with turns.lock:
        for loop in (turns.aside, turns.steps):
            while loop.current is not None:
                assert loop.changed.wait(PATIENCE_S)
        yield


def scheduled(told: dict[str, Any], **changes: object) -> dict[str, Any]:
    """The same with a schedule."""
    return {**row(**changes), "schedule": json.dumps(told).encode()}


def row(**changes: object) -> dict[str, Any]:
    """The golden's request as TorchServe hands it over, with other options."""
    request, _ = golden()
    told = {
        "category": "upper_body",
        "output_format": "png",
        "seed": request.params.seed,
        "pose_seed": request.params.pose_seed,
        "steps": request.params.steps,
        "guidance_scale": request.params.guidance_scale,
        "garment_description": request.params.garment_description,
        **changes,
    }
    return {
        "params": json.dumps(told).encode(),
        "person_image": request.person_image,
        "garment_image": request.garment_image,
        "mask": request.mask,
        "densepose": request.densepose,
    }
