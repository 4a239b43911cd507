"""Room for what asks a model, given out before a body is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import Busy
from gateway.metrics import Metrics


class Admission:
    """At most `max_in_flight` requests at once, whatever they ask for."""

    def __init__(self, max_in_flight: int, metrics: Metrics) -> None:
        self._max_in_flight = max_in_flight
        self._metrics = metrics
        self._in_flight = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Room for one request; raises Busy when there is none."""
        if self._in_flight >= self._max_in_flight:
            raise Busy
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)
