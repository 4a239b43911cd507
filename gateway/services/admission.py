"""Room for what asks a model, given out before a body is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from gateway.errors.kinds import Busy


class Admission:
    """At most `max_in_flight` requests at once, whatever they ask for; the gauge counts them."""

    def __init__(self, max_in_flight: int, gauge: Gauge) -> None:
        self._max_in_flight = max_in_flight
        self._gauge = gauge
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """How many there are."""
        return self._in_flight

    @contextmanager
    def one(self) -> Iterator[None]:
        """Room for one request; raises Busy when there is none."""
        if self._in_flight >= self._max_in_flight:
            raise Busy
        self._in_flight += 1
        self._gauge.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self._gauge.set(self._in_flight)
