"""How a stock handler serves a batch: all step together, all are answered when the last is done.

In its favour, whoever is done costs nothing more; a pipeline called once with one number of steps
could not even do that.
"""

from collections.abc import Sequence

from benchmarks.batching.device import Seat
from handlers import wire
from handlers.base import Outcome
from handlers.request import TryOnRequest
from handlers.seats import resumed
from handlers.stages import Stages
from handlers.stepping import SteppingHandler


def serve(
    handler: SteppingHandler[TryOnRequest, Seat],
    rows: Sequence[wire.Row],
    context: wire.Context,
) -> list[bytes]:
    """Serve a batch to its longest job's end."""
    batch = [wire.Exchange(row, context, index) for index, row in enumerate(rows)]
    requests = [one.request(handler.request_type, handler.offer) for one in batch]
    sittings = [handler.sit(one, Stages((), lambda *_: None)) for one in requests]
    seats = [went for one in sittings if not isinstance(went := resumed(one), Outcome)]
    while stepping := [seat for seat in seats if seat.steps_left]:
        handler.advance(stepping)
    for exchange, sitting in zip(batch, sittings, strict=True):
        outcome = resumed(sitting)
        if isinstance(outcome, Outcome):
            exchange.done(outcome.images, outcome.metadata)
    return wire.closing(batch)
