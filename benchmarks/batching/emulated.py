"""The emulated model behind TorchServe: a stepping handler whose steps only take time.

TorchServe imports this file by itself, as the top-level module `emulated`, and wants exactly one
class in it. Not asked continuously, it serves a batch as a stock handler does: see `whole`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.batching import whole
from benchmarks.batching.curves import CURVES
from benchmarks.batching.device import BUCKET, Device, EmulatedSettings, Seat
from handlers import wire
from handlers.base import Outcome
from handlers.request import Params, TryOnRequest
from handlers.seats import Sitting, Wish
from handlers.settings import needed
from handlers.stages import Stages
from handlers.stepping import SteppingHandler


class EmulatedHandler(SteppingHandler[TryOnRequest, Seat]):
    """Takes the steps that are asked for; its picture is no picture."""

    request_type = TryOnRequest
    stages = ("garment_transfer",)
    step_stage = "garment_transfer"
    settings: EmulatedSettings

    def load(self) -> None:
        """Take the device."""
        self._device = Device(CURVES[self.settings.told_curve])

    def warm_up(self) -> None:
        """Measure what a step costs, as every stepping model does, on the curve that is told."""
        told = self.settings.stepping
        params = Params("upper_body", "jpeg", steps=told.max_batch)
        self.open_seats(told, TryOnRequest(params, b"", b""))
        self._device = Device(CURVES[self.settings.curve])

    def handle(self, rows: Sequence[wire.Row], context: wire.Context) -> list[bytes]:
        """Take one turn of all who are in, or serve a whole batch."""
        if self.is_continuous:
            return super().handle(rows, context)
        return whole.serve(self, rows, context)

    def wish(self, request: TryOnRequest) -> Wish:
        """Say how many steps a request needs."""
        steps = needed(request.params.steps, "tryon.defaults.steps")
        return Wish(BUCKET, steps, steps)

    def lowered(self, request: TryOnRequest, steps: int) -> TryOnRequest:
        """Give the request with fewer steps."""
        return replace(request, params=replace(request.params, steps=steps))

    def sit(self, request: TryOnRequest, stages: Stages) -> Sitting[Seat]:
        """Take the steps of one request."""
        del stages
        seat = Seat(self._device, self.wish(request).steps)
        yield seat
        return Outcome((b"",), {"device": seat.told()})

    def advance(self, states: Sequence[Seat]) -> None:
        """Take one step of every seat."""
        took_s = self._device.step(len(states))
        for seat in states:
            seat.stepped(took_s)

    def gauges(self) -> Mapping[str, float]:
        """Give no gauges."""
        return {}
