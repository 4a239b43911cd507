"""Representative requests: what a worker serves to itself before it says that it is ready.

The first try-on of a process pays for graph building, thread pools and memory; these pay it.
"""

from collections.abc import Iterator
from importlib import resources

from handlers import samples
from handlers.request import Params, TryOnRequest
from handlers.settings import WarmUp


def requests(plan: WarmUp) -> Iterator[TryOnRequest]:
    """Yield a try-on of the shipped pictures per round and size of `plan`."""
    shipped = resources.files(samples)
    person = shipped.joinpath("person.jpg").read_bytes()
    garment = shipped.joinpath("garment.jpg").read_bytes()
    for _ in range(plan.rounds):
        for width_px, height_px in plan.sizes_px:
            params = Params("upper_body", "jpeg", width_px, height_px)
            yield TryOnRequest(params, person, garment)
